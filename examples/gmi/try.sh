#!/usr/bin/env bash
# A whole login in the dialect gmi, told as it goes. See README.md beside this file.
set -euo pipefail

gatehouse=http://127.0.0.1:8080
app=http://127.0.0.1:8081
github=http://127.0.0.1:9101

say() { printf '\n# %s\n' "$*"; }

# short cuts what nobody reads: the middle of tokens.
short() { sed -E 's/([A-Za-z0-9_-]{12})[A-Za-z0-9_.-]{24,}/\1.../g'; }

# call <status> <method> <url> [body] [header]... sends a request and prints it. The
# answer's body is kept in $answer; another status ends the script.
call() {
	local want=$1 method=$2 url=$3 body=${4:-} status
	shift 3
	[ $# -eq 0 ] || shift
	local args=(-s -X "$method" -w '\n%{http_code}')
	[ -z "$body" ] || args+=(-H 'Content-Type: application/json' -d "$body")
	local header
	for header in "$@"; do args+=(-H "$header"); done
	printf '> %s %s %s\n' "$method" "$url" "$body $*" | short
	answer=$(curl "${args[@]}" "$url") || {
		echo "nothing answers at $url: are both programs of README.md running?" >&2
		exit 1
	}
	status=${answer##*$'\n'}
	answer=${answer%$'\n'*}
	printf '< %s %s\n' "$status" "$answer" | short
	[ "$status" = "$want" ] || {
		echo "the status should be $want" >&2
		exit 1
	}
}

# member prints a text member of the answer.
member() { printf '%s' "$answer" | sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }

say "Ada logs in at GitHub. A browser would be sent there; the fake takes a name instead."
back=$(curl -s -o /dev/null -w '%{redirect_url}' \
	"$github/login/oauth/authorize?client_id=gatehouse-github&redirect_uri=$gatehouse/callback&scope=user:email&state=xyz&as=ada") || {
	echo "nothing answers at $github: is 'go run ./tests/upstreams' running?" >&2
	exit 1
}
echo "$back"
code=$(printf '%s' "$back" | sed -n 's/.*[?&]code=\([^&]*\).*/\1/p')
state=$(printf '%s' "$back" | sed -n 's/.*[?&]state=\([^&]*\).*/\1/p')
[ "$state" = xyz ] || {
	echo "this is not the answer to our own question" >&2
	exit 1
}

say "The code becomes GitHub's access token."
call 200 POST "$gatehouse/api/v1/oauth/token" '{"provider":"github","code":"'"$code"'"}'
token=$(member accessToken)

say "First step: the token proves who she is."
call 201 POST "$gatehouse/api/v1/me/oauth/auth-tokens" '{"provider":"github","accessToken":"'"$token"'"}'
step=$(member authToken)

say "A good token of Ada's that some other app got from her proves nothing here."
call 200 POST "$github/control/token?as=ada&client=other-app"
call 400 POST "$gatehouse/api/v1/me/oauth/auth-tokens" '{"provider":"github","accessToken":"'"$(member token)"'"}'

say "Nobody is signed up by logging in."
call 200 POST "$github/control/token?as=mallory&client=gatehouse-github"
call 404 POST "$gatehouse/api/v1/me/oauth/auth-tokens" '{"provider":"github","accessToken":"'"$(member token)"'"}'

say "Second step: a session, for the client that calls itself portal."
call 201 POST "$gatehouse/api/v1/me/sessions" '{"authToken":"'"$step"'"}' 'CE-ClientId: portal'
access=$(member accessToken)
refresh=$(member refreshToken)

say "The first step's token is spent."
call 400 POST "$gatehouse/api/v1/me/sessions" '{"authToken":"'"$step"'"}' 'CE-ClientId: portal'

say "Who she is, and the app behind the guard."
call 200 GET "$gatehouse/api/v1/me/profile" '' "Authorization: Bearer $access"
call 200 GET "$app/" '' "Authorization: Bearer $access"

say "New tokens for the old; not for another client."
call 400 PATCH "$gatehouse/api/v1/me/sessions" '{"refreshToken":"'"$refresh"'"}' 'CE-ClientId: elsewhere'
call 200 PATCH "$gatehouse/api/v1/me/sessions" '{"refreshToken":"'"$refresh"'"}' 'CE-ClientId: portal'
access=$(member accessToken)

say "Logged out: every token of the session is dead at once."
call 204 DELETE "$gatehouse/api/v1/me/sessions" '' "Authorization: Bearer $access"
call 401 GET "$gatehouse/api/v1/me/profile" '' "Authorization: Bearer $access"
call 401 GET "$app/" '' "Authorization: Bearer $access"

say "The same account by password; every fault of a request is told at once."
call 400 POST "$gatehouse/api/v1/me/auth-tokens" '{"email":"ada"}'
call 201 POST "$gatehouse/api/v1/me/auth-tokens" '{"email":"ada@example.com","password":"change me, please"}'
call 201 POST "$gatehouse/api/v1/me/sessions" '{"authToken":"'"$(member authToken)"'"}' 'CE-ClientId: portal'
call 200 GET "$gatehouse/api/v1/me/profile" '' "Authorization: Bearer $(member accessToken)"

say "Done."
