-- Where a session was started from.
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';

-- Networks from which a login name was logged in to lately.
CREATE TABLE known_addresses (
	realm   TEXT   NOT NULL,
	account {blob} NOT NULL,
	network TEXT   NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (realm, account, network)
);
CREATE INDEX known_addresses_expires ON known_addresses (expires);
