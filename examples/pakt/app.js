// A whole front end of the dialect pakt, without a library.
"use strict";

const $ = (id) => document.getElementById(id);

// call makes a request and returns the data of its answer, or throws the message.
async function call(method, path, token) {
	const headers = token ? { Authorization: `Bearer ${token}` } : {};
	// The cookie that binds a login to this browser goes along.
	const response = await fetch(path, { method, headers, credentials: "include", cache: "no-store" });
	const answer = await response.json();
	if (answer.status !== "success") throw new Error(answer.message);
	return answer.data;
}

// begin sends the browser to the provider.
async function begin(provider) {
	const data = await call("GET", `/v1/auth/${provider}/oauth/generate-state`);
	sessionStorage.setItem("login", JSON.stringify({ provider, state: data.state }));
	location.assign(data.authUrl);
}

// finish hands on what the provider sent the browser back with.
async function finish(back) {
	// Out of the address bar and the history at once: a reload must not send it again.
	history.replaceState(null, "", location.pathname);
	const login = JSON.parse(sessionStorage.getItem("login") || "{}");
	sessionStorage.removeItem("login");
	if (!login.state || login.state !== back.get("state")) throw new Error("This login was not begun here. Please log in again.");
	const query = new URLSearchParams({ state: login.state });
	for (const name of ["code", "error", "iss"]) if (back.has(name)) query.set(name, back.get(name));
	const data = await call("POST", `/v1/auth/${login.provider}/oauth/validate-state?${query}`);
	sessionStorage.setItem("token", data.token); // of this tab only
	return data.type === "sign_up" ? "Welcome! Your account was made." : "Welcome back.";
}

function show(account) {
	const facts = { Name: account.name, "E-mail": account.email + (account.isVerified ? " (verified)" : ""), "Logged in with": account.provider, Account: account._id };
	$("account").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => {
		const term = document.createElement("dt"), fact = document.createElement("dd");
		term.textContent = name;
		fact.textContent = value || "unknown";
		return [term, fact];
	}));
}

// render shows the one section or the other and says what happened.
function render(account, message) {
	if (account) show(account);
	$("out").hidden = Boolean(account);
	$("in").hidden = !account;
	$("title").textContent = account ? "You are logged in" : "Log in";
	$("message").textContent = message || "";
	if (message) $("title").focus(); // so that a screen reader begins here
}

async function start() {
	let message = "";
	try {
		const back = new URLSearchParams(location.search);
		if (back.has("state")) message = await finish(back);
		const token = sessionStorage.getItem("token");
		render(token ? await call("GET", "/v1/account", token) : null, message);
	} catch (fault) {
		sessionStorage.removeItem("token");
		render(null, fault.message);
	}
}

for (const button of document.querySelectorAll("[data-provider]")) {
	button.addEventListener("click", () => begin(button.dataset.provider).catch((fault) => render(null, fault.message)));
}
$("logout").addEventListener("click", async () => {
	const token = sessionStorage.getItem("token");
	sessionStorage.removeItem("token");
	try {
		await call("POST", "/v1/account/logout", token);
		render(null, "You are logged out.");
	} catch (fault) {
		render(null, fault.message);
	}
});
start();
