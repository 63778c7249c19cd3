#!/usr/bin/env bash
# Walks through the dialect keycloak: README.md says what to start first.
set -euo pipefail

auth=http://127.0.0.1:8080/auth/api/v1 # Gatehouse
app=http://127.0.0.1:8081             # the app behind the guard

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

step "It is well."
call GET "$auth/healthz"
want 200

step "A program gets a token for itself. The parameters may stand in the query, a form or JSON."
call POST "$auth/oauth/connect/token" -d client_id=reports -d client_secret=reports-secret-not-for-production
want 200
access_token=$(member access_token)

step "What that token is."
call POST "$auth/oauth/connect/introspect" -d "token=$access_token" \
	-d client_id=reports -d client_secret=reports-secret-not-for-production
want 200

step "Ada logs in, and her token opens the app behind the guard, which is told who calls."
call POST "$auth/oauth/connect/user/login" -H 'Content-Type: application/json' \
	-d '{"username":"ada","password":"change me, please"}'
want 200
access_token=$(member access_token)
refresh_token=$(member refresh_token)
call GET "$app/" -H "Authorization: Bearer $access_token"
want 200

step "A wrong password, and a request that lacks everything."
call POST "$auth/oauth/connect/user/login" -d username=ada -d password=wrong
want 401
call POST "$auth/oauth/connect/user/login"
want 422

step "Her session gets its next tokens."
call POST "$auth/oauth/connect/token" -d grant_type=refresh_token -d client_id=gatehouse -d "refresh_token=$refresh_token"
want 200
access_token=$(member access_token)
refresh_token=$(member refresh_token)

step "She logs out, and from that moment on the guard refuses her token."
call POST "$auth/oauth/connect/logout" -d "refresh_token=$refresh_token"
want 204
call GET "$app/" -H "Authorization: Bearer $access_token"
want 401

step "Done."
