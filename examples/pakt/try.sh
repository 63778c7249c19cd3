#!/usr/bin/env bash
# Walks a whole login of the dialect pakt with curl, against the Caddyfile beside it and
# the fake providers. It ends with 1 at the first answer that is not as it should be.
set -euo pipefail

gatehouse=http://127.0.0.1:8090
app=http://127.0.0.1:8091
cookies=$(mktemp)
trap 'rm -f "$cookies"' EXIT
jar=(-b "$cookies" -c "$cookies") # curl as a browser that takes cookies

# say prints what comes next; ask makes a request, keeps its status and body, and prints both.
say() { printf '\n== %s\n' "$*"; }
ask() {
	printf '$ curl'
	printf ' %s' "$@"
	printf '\n'
	local answer
	answer=$(curl -sS --max-time 20 ${jar[@]+"${jar[@]}"} -w '\n%{http_code}' "$@")
	status=${answer##*$'\n'}
	body=${answer%$'\n'*}
	printf '%s %s\n' "$status" "$body"
}
want() {
	if [ "$status" != "$1" ]; then
		echo "the answer should have been $1" >&2
		exit 1
	fi
}
# member takes a text or number out of the last body; the JSON is flat enough for sed.
member() { printf '%s' "$body" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }

# login makes a login at a provider as one of its users and leaves the token in $token.
login() {
	say "Begin a login with $1"
	ask "$gatehouse/v1/auth/$1/oauth/generate-state"
	want 200
	local url back
	url=$(member authUrl)
	state=$(member state)

	say "The browser goes to the provider, where $2 logs in, and comes back to the front end"
	back=$(curl -sS --max-time 20 -o /dev/null -w '%{redirect_url}' "$url&as=$2")
	printf '%s\n' "$back"
	code=$(printf '%s' "$back" | sed -n 's/.*[?&]code=\([^&]*\).*/\1/p')

	say "The front end hands on state and code"
	ask -X POST "$gatehouse/v1/auth/$1/oauth/validate-state?state=$state&code=$code"
}

login google ada
want 200
token=$(member token)

say "The account"
ask -H "Authorization: Bearer $token" "$gatehouse/v1/account"
want 200

say "The same token passes the guard of an app"
ask -H "Authorization: Bearer $token" "$app/"
want 200

say "State and code are good once"
ask -X POST "$gatehouse/v1/auth/google/oauth/validate-state?state=$state&code=$code"
want 400

say "A login must end in the browser that began it: this one brings no cookie"
jar=()
login github grace
want 400

say "Log out: the token is refused from the next request on"
ask -X POST -H "Authorization: Bearer $token" "$gatehouse/v1/account/logout"
want 200
ask -H "Authorization: Bearer $token" "$gatehouse/v1/account"
want 401
ask -H "Authorization: Bearer $token" "$app/"
want 401

say "All as it should be."
