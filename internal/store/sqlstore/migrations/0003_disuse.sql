-- The absolute end of a session; expires is when it ends of disuse.
ALTER TABLE sessions ADD COLUMN ends BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET ends = expires;

-- How long a refresh token's row is kept, which is longer than the token is good.
ALTER TABLE refresh_tokens ADD COLUMN until BIGINT NOT NULL DEFAULT 0;
UPDATE refresh_tokens SET until = expires;
DROP INDEX refresh_tokens_expires;
CREATE INDEX refresh_tokens_until ON refresh_tokens (until);
