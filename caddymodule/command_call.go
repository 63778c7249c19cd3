package caddymodule

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// maxAnswer bounds an answer of the admin endpoint, in bytes: the first page of a
// list of accounts has all users of the configuration.
const maxAnswer = 64 << 20

// call is one command line.
type call struct {
	cmd                             *cobra.Command
	realm, address, config, adapter string
	json                            bool
}

// realmName is how sentences name the realm.
func (c *call) realmName() string {
	if c.realm == "" {
		return "the default realm"
	}
	return "realm " + c.realm
}

// ask sends a command to the running Caddy, reads its answer into answer and shows it.
func (c *call) ask(path string, in command, answer any, human func() string) error {
	if err := c.fetch(path, in, answer); err != nil {
		return err
	}
	return c.show(answer, human)
}

// fetch sends a command to the running Caddy and reads its answer into answer.
func (c *call) fetch(path string, in command, answer any) error {
	in.Realm = c.realm
	address, err := caddycmd.DetermineAdminAPIAddress(c.address, nil, c.config, c.adapter)
	if err != nil {
		return fmt.Errorf("finding the address of Caddy's admin endpoint: %w", err)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodPost, adminBase+path, http.Header{commandHeader: {"1"}}, bytes.NewReader(body))
	if err != nil {
		return plain(address, err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("reading the answer of Caddy's admin endpoint at %s: %w", address, err)
	}
	return nil
}

// show writes an answer as it was asked for.
func (c *call) show(answer any, human func() string) error {
	if !c.json {
		_, err := io.WriteString(c.cmd.OutOrStdout(), human())
		return err
	}
	out := json.NewEncoder(c.cmd.OutOrStdout())
	out.SetIndent("", "  ")
	return out.Encode(answer)
}

// plain makes a sentence of what Caddy's client for the admin endpoint says; it
// gives texts only.
func plain(address string, err error) error {
	text, refused := strings.CutPrefix(err.Error(), "caddy responded with error: HTTP ")
	if !refused {
		if cause, sent := strings.CutPrefix(text, "performing request: "); sent {
			return fmt.Errorf("no Caddy answers at %s: is it running, and is this its admin endpoint (--address, --config)? %s", address, cause)
		}
		return err
	}
	status, body, _ := strings.Cut(text, ": ")
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(body), &said) == nil && said.Error != "" {
		return errors.New(said.Error)
	}
	if status == "404" {
		return fmt.Errorf("the Caddy at %s has no Gatehouse in it, or an older one", address)
	}
	return fmt.Errorf("the Caddy at %s refused: HTTP %s", address, text)
}

func showKeys(a keysAnswer) string {
	rows := [][]string{{"KID", "ALG", "STATE", "CREATED", "SIGNS FROM", "RETIRES", "EXPIRES"}}
	for _, k := range a.Keys {
		rows = append(rows, []string{k.ID, k.Alg, k.State, moment(k.Created), moment(k.Signs), moment(k.Retires), moment(k.Expires)})
	}
	return table(rows)
}

func showSessions(c *call, a sessionsAnswer) string {
	if len(a.Sessions) == 0 {
		return fmt.Sprintf("There are no such sessions in %s.\n", c.realmName())
	}
	rows := [][]string{{"SID", "USER", "CLIENT", "ADDRESS", "CREATED", "LAST USED", "EXPIRES"}}
	for _, s := range a.Sessions {
		// The account of a user who is gone; nothing for a client's own session.
		user := cmp.Or(s.User, s.Account, "-")
		rows = append(rows, []string{s.ID, user, s.Client, cmp.Or(s.Address, "-"), moment(s.Created), moment(s.LastUsed), moment(s.Expires)})
	}
	shown := table(rows)
	if a.More {
		shown += fmt.Sprintf("Only the oldest %d are listed; --user narrows it down.\n", len(a.Sessions))
	}
	return shown
}

func table(rows [][]string) string {
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(out, strings.Join(row, "\t")) // a Builder takes everything
	}
	_ = out.Flush()
	return b.String()
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
