#!/usr/bin/env bash
# Walks through the dialect golem: README.md says what to start first.
set -euo pipefail

auth=http://127.0.0.1:8080   # Gatehouse
app=http://127.0.0.1:8081    # the app behind the guard
github=http://127.0.0.1:9101 # the fake GitHub

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

step "Ada has logged in to our app at GitHub, and her program has a token of GitHub."
call POST "$github/control/token?as=ada&client=gatehouse-github"
want 200
access_token=$(member token)

step "Her program logs in with it. The secret is told this once."
call POST "$auth/v1/oauth2" -d provider=github -d "access_token=$access_token"
want 200
account=$(member accountId)
secret=$(member secret)

step "A token of another app at GitHub opens nothing."
call POST "$github/control/token?as=ada&client=other-app"
other=$(member token)
call POST "$auth/v1/oauth2" -d provider=github -d "access_token=$other"
want 401

step "What the secret is, and whose."
call GET "$auth/v1/login/token" -H "Authorization: Bearer $secret"
want 200
call GET "$auth/v1/accounts/$account" -H "Authorization: Bearer $secret"
want 200

step "It opens the app behind the guard, which is told who calls."
call GET "$app/" -H "Authorization: Bearer $secret"
want 200

step "A device without a browser begins a login."
call POST "$auth/oauth2/device/start"
want 200
session=$(member encodedSession)
user_code=$(member userCode)

step "It waits. Meanwhile Ada opens the address, enters the code and allows it: here, a control of the fake."
waiting=$(mktemp)
trap 'rm -f "$waiting"' EXIT
curl -sS --max-time 60 -w '\n%{http_code}' -H 'Content-Type: application/json' -d "\"$session\"" \
	"$auth/oauth2/device/complete" >"$waiting" &
waits=$!
call POST "$github/control/device?user_code=$user_code&as=ada&decision=approve"
want 200

step "GitHub is asked every five seconds: soon the device has its secret."
wait "$waits"
answer=$(<"$waiting")
status=${answer##*$'\n'}
answer=${answer%$'\n'*}
printf '    POST %s\n    %s %s\n' "$auth/oauth2/device/complete" "$status" "$answer"
want 200
device_token=$(member id)
device_secret=$(member secret)

step "The session of a device login is good once."
call POST "$auth/oauth2/device/complete" -H 'Content-Type: application/json' -d "\"$session\""
want 400

step "Another token, for a job that is done by a certain day."
call POST "$auth/v1/accounts/$account/tokens" -H "Authorization: Bearer $secret" \
	-H 'Content-Type: application/json' -d '{"expiresAt":"2099-01-01T00:00:00Z"}'
want 200

step "All of Ada's tokens, without their secrets. That day was too late: it became the realm's 90 days."
call GET "$auth/v1/accounts/$account/tokens" -H "Authorization: Bearer $secret"
want 200

step "The device is lost: its token ends, and from that moment on the guard refuses it."
call DELETE "$auth/v1/accounts/$account/tokens/$device_token" -H "Authorization: Bearer $secret"
want 200
call GET "$app/" -H "Authorization: Bearer $device_secret"
want 401

step "Done."
