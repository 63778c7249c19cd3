package caddymodule

// The help of `caddy gatehouse`. docs/commands.md says the same at more length.
const (
	helpGatehouse = `
Operates the realms of a running Gatehouse: its signing keys, tokens, sessions and
accounts.

The commands talk to the admin endpoint of the running Caddy, at ` + "`localhost:2019`" + `
unless --address says otherwise or --config names the configuration to read it
from. What they change acts at once, on the running server, and is on disk when
they return. They never print a key or a token.

They exit with 0 when it was done. Otherwise they print one sentence that says
why and exit with 1.`

	helpKeys = `
Signing keys sign a realm's access tokens. Each realm has its own, made at its
first start. They rotate by themselves every 90 days, the next one being
published a day before it signs; the last one verifies until its tokens are dead.

A key's state is one of

	next        published, not signing yet
	signing     signs new tokens
	verifying   signs no more, its tokens are still good
	revoked     ended by hand; no token it signed is good`

	helpKeysList = `
Lists the signing keys of a realm, oldest first, with the times (RFC 3339, UTC)
from which each signs, at which its successor takes over, and at which its last
token is dead.`
	exampleKeysList = `  caddy gatehouse keys list
  caddy gatehouse keys list --realm staff --json`

	helpKeysRotate = `
Publishes the realm's next key now and lets it sign in ten minutes, when every
verifier that keeps the key set for the usual five has seen it. No token dies and
nobody has to log in again. If the next key is on its way already, nothing changes.

A key that may have leaked is not rotated but revoked: see keys revoke.`
	exampleKeysRotate = `  caddy gatehouse keys rotate
  caddy gatehouse keys rotate --realm staff`

	helpKeysRevoke = `
Ends a signing key that may have leaked, and every token it signed: guards refuse
them from the next request on, and the key leaves the published set. If it was the
one that signs, a new one takes its place at once.

Clients get new tokens by themselves. Sessions and refresh tokens go on: they do
not hang on this key. Other verifiers believe the key for as long as they keep the
old key set, five minutes as a rule.

A kid that begins with a dash stands after two dashes: keys revoke -- -Xy...`
	exampleKeysRevoke = `  caddy gatehouse keys list
  caddy gatehouse keys revoke 5Lm2hVbZ0c8k1Yw3sQeXnT7uRj4aPdFg6oKiBvCxMzE`

	helpToken = `
Ends single tokens. To end a whole login, see session end; to end everything a
client has, write disabled into its block and reload.`

	helpTokenRevoke = `
Revokes a token, whosesoever it is: an access token, or a refresh token and with
it its session and all that it gave. Guards refuse it from the next request on.

The token is read from standard input or from a file, not from an argument:
arguments stand in the list of processes and in the shell's history.

With --id, access tokens are revoked by their id, the token_id of Gatehouse's log
lines. A realm does not keep the ids of the tokens it signs, so an id that no token
has is not an error; mind the spelling. Refresh tokens have no id here.`
	exampleTokenRevoke = `  caddy gatehouse token revoke < leaked-token.txt
  caddy gatehouse token revoke --file leaked-token.txt --realm staff
  caddy gatehouse token revoke --id 0f1c1a52-6f0e-4d8e-9a53-52f1f5d2b7c1`

	helpSession = `
A session is one login of one user, or of one client with refresh tokens. All that
it gave ends with it.`

	helpSessionList = `
Lists the live sessions of a realm or of one of its users, oldest first, at most
1000: who, by which client, from which address, and when (RFC 3339, UTC). A client's
own session has no user.`
	exampleSessionList = `  caddy gatehouse session list
  caddy gatehouse session list --user alice --json`

	helpSessionEnd = `
Ends a session: its refresh tokens and every access token it gave. Guards refuse
them from the next request on. Other sessions of the same user go on.`
	exampleSessionEnd = `  caddy gatehouse session list --user alice
  caddy gatehouse session end 0f1c1a52-6f0e-4d8e-9a53-52f1f5d2b7c1`

	helpClient = `
Helps with clients. They live in the configuration; no command changes them.`

	helpClientSecret = `
Makes a random client secret of 256 bits and the hash that the configuration takes
in its place. Needs no running server and keeps nothing.

To replace a client's secret without a break, write both hashes into its block,
reload, move the client over, take the old one away, and reload:

	client reports {
		secret_hash sha256:<new> sha256:<old>
	}`
	exampleClientSecret = `  caddy gatehouse client secret
  caddy gatehouse client secret --json`
)
