-- What the user of a personal token proved to know when it was minted. NULL for
-- every other token: databases have no common way to write a default of bytes.
ALTER TABLE tokens ADD COLUMN credential {blob};
-- The upstream login that a personal token was minted after.
ALTER TABLE tokens ADD COLUMN origin TEXT NOT NULL DEFAULT '';
CREATE INDEX tokens_id ON tokens (realm, id);
CREATE INDEX tokens_account ON tokens (realm, account, kind, issued, id);

-- The upstream login that a session began with, and the client of the user that it
-- belongs to.
ALTER TABLE sessions ADD COLUMN origin TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN binding TEXT NOT NULL DEFAULT '';

-- People and robots that the configuration does not name.
CREATE TABLE accounts (
	realm          TEXT   NOT NULL,
	id             TEXT   NOT NULL,
	username       TEXT   NOT NULL,
	name           TEXT   NOT NULL,
	email          TEXT   NOT NULL,
	email_verified BIGINT NOT NULL,
	email_key      TEXT   NOT NULL,
	roles          TEXT   NOT NULL,
	created        BIGINT NOT NULL,
	last_login     BIGINT NOT NULL,
	origin         TEXT   NOT NULL,
	disabled       BIGINT NOT NULL,
	ended          BIGINT NOT NULL,
	PRIMARY KEY (realm, id)
);
CREATE INDEX accounts_created ON accounts (realm, created, id);
CREATE INDEX accounts_email ON accounts (realm, email_key, created, id) WHERE email_key <> '';

-- What an upstream calls a person, and whose account that is.
CREATE TABLE identities (
	realm     TEXT   NOT NULL,
	provider  TEXT   NOT NULL,
	subject   TEXT   NOT NULL,
	issuer    TEXT   NOT NULL,
	account   TEXT   NOT NULL,
	created   BIGINT NOT NULL,
	last_used BIGINT NOT NULL,
	PRIMARY KEY (realm, provider, subject)
);
CREATE INDEX identities_account ON identities (realm, account, provider, subject);

-- Failures and spending of things that are no rows: states, device sessions, steps.
CREATE TABLE marks (
	realm    TEXT   NOT NULL,
	id       {blob} NOT NULL,
	failures BIGINT NOT NULL,
	spent    BIGINT NOT NULL,
	expires  BIGINT NOT NULL,
	PRIMARY KEY (realm, id)
);
CREATE INDEX marks_expires ON marks (expires);
