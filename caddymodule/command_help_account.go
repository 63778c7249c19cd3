package caddymodule

// The help of `caddy gatehouse account`. docs/commands.md says the same at more length.
const (
	helpAccount = `
An account is a person or robot of a realm. Those who log in through a provider
(GitHub, Google, ...) are kept in the database; the users of the configuration are
shown as well, but only the configuration changes them.

<account> is the id of an account, the username of a user of the configuration, or
provider:subject. A subject is what the provider calls an account for good: at
GitHub its number, elsewhere the sub of its ID tokens. It is never an e-mail address
or a login name.`

	helpAccountList = `
Lists the accounts of a realm: first the users of the configuration, then the others,
oldest first. Times are RFC 3339 in UTC.`
	exampleAccountList = `  caddy gatehouse account list
  caddy gatehouse account list --realm staff --json`

	helpAccountShow = `
Shows what is kept of an account, and the upstream logins that open it.`
	exampleAccountShow = `  caddy gatehouse account show 0f1c1a52-6f0e-4d8e-9a53-52f1f5d2b7c1
  caddy gatehouse account show github:583231`

	helpAccountAdd = `
Adds an account, whatever the realm's sign_up says: that is how people get in where
it is closed. With --link somebody can log in to it at once; the first login fills in
username, name and e-mail address as the provider knows them.

--verified says that you vouch for the address: a provider with link verified_email
may then open the account by it.`
	exampleAccountAdd = `  caddy gatehouse account add --link github:583231 --role staff
  caddy gatehouse account add --name "Ada Lovelace" --email ada@example.com --verified`

	helpAccountLink = `
Lets an upstream login open an account from now on, beside those that open it already.
One that opens another account must be unlinked there first.`
	exampleAccountLink = `  caddy gatehouse account link 0f1c1a52-6f0e-4d8e-9a53-52f1f5d2b7c1 google:108900000000000000001
  caddy gatehouse account link github:583231 corp:4711`

	helpAccountUnlink = `
Takes an upstream login from the account that it opens, and ends every login and token
of that account: nobody can tell which of them it gave. The account stays.`
	exampleAccountUnlink = `  caddy gatehouse account unlink github:583231`

	helpAccountDisable = `
Refuses an account on every path and ends every login and token of it: guards refuse
them from the next request on. They stay ended when the account is enabled again.

A user of the configuration is disabled there: write disabled into the block and
reload.`
	exampleAccountDisable = `  caddy gatehouse account disable github:583231`

	helpAccountEnable = `
Lets a disabled account log in again. What was ended stays ended.`
	exampleAccountEnable = `  caddy gatehouse account enable github:583231`

	helpAccountDelete = `
Deletes an account with its upstream logins, and ends every login and token of it. It
asks nothing, and cannot be undone. Where sign_up is open the same person may come
back, with a new account; to keep somebody out, disable the account instead.`
	exampleAccountDelete = `  caddy gatehouse account delete 0f1c1a52-6f0e-4d8e-9a53-52f1f5d2b7c1`
)
