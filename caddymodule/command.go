package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
)

// maxToken bounds a token that is read from a file, in bytes.
const maxToken = 16 << 10

// registerCommand adds `caddy gatehouse` to Caddy's commands.
func registerCommand() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "gatehouse",
		Usage: "<command>",
		Short: "Operates the realms of a running Gatehouse",
		Long:  helpGatehouse,
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd)
			cmd.AddCommand(keysCommand(), tokenCommand(), sessionCommand(), accountCommand(), clientCommand())
		},
	})
}

// group makes cmd one that only has commands below it. Cobra would answer a
// misspelt one with the help and success.
func group(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.FParseErrWhitelist.UnknownFlags = true // those of the command that was meant
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return errors.New(text)
	}
}

// leaf is a command that asks the running Caddy.
func leaf(use, short, long, example string, args cobra.PositionalArgs, run func(*call, []string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: args}
	c := &call{cmd: cmd}
	flags := cmd.Flags()
	flags.StringVar(&c.realm, "realm", "", "Name or id of the realm (default: the first realm of the configuration)")
	flags.StringVar(&c.address, "address", "", "Address of the administration API listener, if --config is not used")
	flags.StringVarP(&c.config, "config", "c", "", "Configuration file to read the address from, if --address is not used")
	flags.StringVarP(&c.adapter, "adapter", "a", "", "Name of the config adapter to apply, if --config is used")
	flags.BoolVar(&c.json, "json", false, "Answer as JSON")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help (before a value that begins with a dash, write --)", err, cmd.CommandPath())
	})
	cmd.RunE = func(_ *cobra.Command, args []string) error { return run(c, args) }
	return cmd
}

func keysCommand() *cobra.Command {
	keys := &cobra.Command{Use: "keys", Short: "Lists, rotates and revokes signing keys", Long: helpKeys}
	group(keys)
	keys.AddCommand(
		leaf("list", "Lists the signing keys of a realm", helpKeysList, exampleKeysList, cobra.NoArgs, func(c *call, _ []string) error {
			var a keysAnswer
			return c.ask("keys/list", command{}, &a, func() string { return showKeys(a) })
		}),
		leaf("rotate", "Publishes the next signing key of a realm", helpKeysRotate, exampleKeysRotate, cobra.NoArgs, func(c *call, _ []string) error {
			var a doneAnswer
			return c.ask("keys/rotate", command{}, &a, func() string {
				if a.Done {
					return fmt.Sprintf("The next key of %s is published now and signs in ten minutes.\n", c.realmName())
				}
				return fmt.Sprintf("The next key of %s is on its way already; nothing was changed.\n", c.realmName())
			})
		}),
		leaf("revoke <kid>", "Ends a signing key and every token it signed", helpKeysRevoke, exampleKeysRevoke, one("kid"), func(c *call, args []string) error {
			var a doneAnswer
			return c.ask("keys/revoke", command{Key: args[0]}, &a, func() string {
				return fmt.Sprintf("Key %s of %s is revoked, and every token it signed with it.\n", args[0], c.realmName())
			})
		}),
	)
	return keys
}

func tokenCommand() *cobra.Command {
	tokens := &cobra.Command{Use: "token", Short: "Revokes tokens", Long: helpToken}
	group(tokens)
	var file, id string
	revoke := leaf("revoke", "Revokes a token", helpTokenRevoke, exampleTokenRevoke, cobra.NoArgs, func(c *call, _ []string) error {
		var a doneAnswer
		if id != "" {
			return c.ask("token/revoke", command{TokenID: id}, &a, func() string {
				return fmt.Sprintf("Access tokens of %s with the id %s are refused from now on.\n", c.realmName(), id)
			})
		}
		token, err := readToken(c.cmd, file)
		if err != nil {
			return err
		}
		return c.ask("token/revoke", command{Token: token}, &a, func() string {
			return fmt.Sprintf("The token of %s is revoked.\n", c.realmName())
		})
	})
	revoke.Flags().StringVar(&file, "file", "", "File to read the token from (default: standard input)")
	revoke.Flags().StringVar(&id, "id", "", "Id (jti) of an access token, instead of the token itself")
	revoke.MarkFlagsMutuallyExclusive("file", "id")
	tokens.AddCommand(revoke)
	return tokens
}

// readToken reads the token from where others on this machine do not see it: not
// from an argument, which stands in the list of processes and in the shell's history.
func readToken(cmd *cobra.Command, file string) (string, error) {
	in, where := cmd.InOrStdin(), "standard input"
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
		defer func() { _ = f.Close() }() // only read
		in, where = f, file
	} else if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		cmd.PrintErrln("Paste the token, then press Enter and Ctrl-D:")
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	switch {
	case len(raw) > maxToken:
		return "", fmt.Errorf("%s holds more than 16 KiB: that is no token", where)
	case token == "":
		return "", fmt.Errorf("%s holds no token", where)
	case strings.ContainsAny(token, " \t\r\n"):
		return "", fmt.Errorf("%s holds more than one word: give one token", where)
	}
	return token, nil
}

func sessionCommand() *cobra.Command {
	sessions := &cobra.Command{Use: "session", Short: "Lists and ends sessions", Long: helpSession}
	group(sessions)
	var user string
	list := leaf("list", "Lists live sessions", helpSessionList, exampleSessionList, cobra.NoArgs, func(c *call, _ []string) error {
		var a sessionsAnswer
		return c.ask("session/list", command{User: user}, &a, func() string { return showSessions(c, a) })
	})
	list.Flags().StringVar(&user, "user", "", "Only the sessions of this user")
	end := leaf("end <sid>", "Ends a session and all its tokens", helpSessionEnd, exampleSessionEnd, one("sid"), func(c *call, args []string) error {
		var a doneAnswer
		return c.ask("session/end", command{Session: args[0]}, &a, func() string {
			return fmt.Sprintf("Session %s of %s is ended, and every token it gave.\n", args[0], c.realmName())
		})
	})
	sessions.AddCommand(list, end)
	return sessions
}

func clientCommand() *cobra.Command {
	clients := &cobra.Command{Use: "client", Short: "Makes client secrets", Long: helpClient}
	group(clients)
	c := new(call)
	c.cmd = &cobra.Command{
		Use: "secret", Short: "Makes a client secret and its hash", Long: helpClientSecret, Example: exampleClientSecret, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			plain, hash := gatehouse.NewClientSecret()
			return c.show(map[string]string{"secret": plain, "secret_hash": hash}, func() string {
				return fmt.Sprintf("secret       %s\nsecret_hash  %s\n\n", plain, hash) +
					"Give the secret to the client; it is not kept anywhere. Write the hash into the client's block.\n"
			})
		},
	}
	c.cmd.Flags().BoolVar(&c.json, "json", false, "Answer as JSON")
	clients.AddCommand(c.cmd)
	return clients
}

// one demands exactly one argument and says which.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return fmt.Errorf("%s takes one %s (write -- before one that begins with a dash); see its --help", cmd.CommandPath(), what)
		}
		return nil
	}
}
