-- Signing keys and realm secrets. They have no end that the store may judge.
CREATE TABLE realm_keys (
	realm   TEXT   NOT NULL,
	id      TEXT   NOT NULL,
	purpose TEXT   NOT NULL,
	alg     TEXT   NOT NULL,
	private {blob},
	created BIGINT NOT NULL,
	signs   BIGINT NOT NULL,
	retires BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	revoked BIGINT NOT NULL,
	PRIMARY KEY (realm, id)
);

-- Opaque access tokens and personal tokens.
CREATE TABLE tokens (
	digest   {blob} NOT NULL PRIMARY KEY,
	id       TEXT   NOT NULL,
	realm    TEXT   NOT NULL,
	kind     TEXT   NOT NULL,
	client   TEXT   NOT NULL,
	account  TEXT   NOT NULL,
	session  TEXT   NOT NULL,
	scopes   TEXT   NOT NULL,
	audience TEXT   NOT NULL,
	issued   BIGINT NOT NULL,
	expires  BIGINT NOT NULL
);
CREATE INDEX tokens_expires ON tokens (expires);

-- JWTs that ended before their time.
CREATE TABLE revocations (
	realm    TEXT   NOT NULL,
	token_id TEXT   NOT NULL,
	expires  BIGINT NOT NULL,
	PRIMARY KEY (realm, token_id)
);
CREATE INDEX revocations_expires ON revocations (expires);

CREATE TABLE sessions (
	realm      TEXT   NOT NULL,
	id         TEXT   NOT NULL,
	account    TEXT   NOT NULL,
	client     TEXT   NOT NULL,
	credential {blob} NOT NULL,
	created    BIGINT NOT NULL,
	last_used  BIGINT NOT NULL,
	expires    BIGINT NOT NULL,
	PRIMARY KEY (realm, id)
);
CREATE INDEX sessions_account ON sessions (realm, account, created, id);
CREATE INDEX sessions_created ON sessions (realm, created, id);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE refresh_tokens (
	digest    {blob} NOT NULL PRIMARY KEY,
	id        TEXT   NOT NULL,
	realm     TEXT   NOT NULL,
	session   TEXT   NOT NULL,
	client    TEXT   NOT NULL,
	account   TEXT   NOT NULL,
	scopes    TEXT   NOT NULL,
	audience  TEXT   NOT NULL,
	issued    BIGINT NOT NULL,
	expires   BIGINT NOT NULL,
	used      BIGINT NOT NULL,
	successor {blob}
);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires);
CREATE INDEX refresh_tokens_grace ON refresh_tokens (used) WHERE successor IS NOT NULL;

-- TOTP steps that were used (RFC 6238 §5.2: a code is accepted once).
CREATE TABLE totp_steps (
	realm   TEXT   NOT NULL,
	account TEXT   NOT NULL,
	step    BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (realm, account, step)
);
CREATE INDEX totp_steps_expires ON totp_steps (expires);
