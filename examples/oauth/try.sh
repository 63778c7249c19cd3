#!/usr/bin/env bash
# Walks through the standards: README.md says what to start first.
set -euo pipefail

auth=http://127.0.0.1:8080 # Gatehouse
app=http://127.0.0.1:8081  # the app behind the guard

# call METHOD ADDRESS [options of curl...]: makes a request, prints it and its answer, and
# leaves them in $status and $answer.
call() {
	local method=$1 address=$2
	shift 2
	answer=$(curl -sS --max-time 60 -X "$method" -w '\n%{http_code}' "$@" "$address")
	status=${answer##*$'\n'}
	answer=${answer%$'\n'*}
	answer=${answer%$'\n'}
	printf '    %s %s\n    %s %s\n' "$method" "$address" "$status" "$answer"
}

# want STATUS: ends the walk if the last answer had another one.
want() {
	if [ "$status" != "$1" ]; then
		echo "That should have been $1." >&2
		exit 1
	fi
}

# member NAME: the text of a member of the last answer.
member() {
	sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' <<<"$answer"
}

step() { printf '\n%s\n' "$1"; }

step "All that a client library needs to know is the issuer: this document says the rest (RFC 8414)."
call GET "$auth/.well-known/oauth-authorization-server"
want 200

step "The app without a token: the guard says what it wants (RFC 6750)."
call GET "$app/"
want 401

step "A program gets a token by client credentials (RFC 6749, section 4.4)."
call POST "$auth/oauth2/token" -u reports:reports-secret-not-for-production -d grant_type=client_credentials -d scope=read
want 200
access_token=$(member access_token)

step "It opens the app, which is told who calls."
call GET "$app/" -H "Authorization: Bearer $access_token"
want 200

step "A token without the scope that the app demands is good, and not enough."
call POST "$auth/oauth2/token" -u reports:reports-secret-not-for-production -d grant_type=client_credentials -d scope=write
want 200
writes=$(member access_token)
call GET "$app/" -H "Authorization: Bearer $writes"
want 403

step "What a token is (RFC 7662)."
call POST "$auth/oauth2/introspect" -u reports:reports-secret-not-for-production -d "token=$access_token"
want 200

step "It is revoked (RFC 7009), and from that moment on the guard refuses it, though it is a JWT with minutes to live."
call POST "$auth/oauth2/revoke" -u reports:reports-secret-not-for-production -d "token=$access_token"
want 200
call GET "$app/" -H "Authorization: Bearer $access_token"
want 401
call POST "$auth/oauth2/introspect" -u reports:reports-secret-not-for-production -d "token=$access_token"
want 200

step "Done."
