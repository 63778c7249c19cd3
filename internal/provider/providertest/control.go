package providertest

import (
	"net/http"
	"strconv"
)

// control serves the methods of the fake to tests that are another process. The
// parameters may stand in the query or in the form; what is missing is a 400.
//
//	POST /control/token?as=ada&client=<client id>            {"token":"…"}
//	POST /control/device?user_code=X&as=ada&decision=approve  approve, deny, expire
//	POST /control/misbehave?path=/user&mode=html&times=1      and interval, error, status, to
//	POST /control/rename?as=ada&login=newname
//	POST /control/email?as=ada&email=x@example.com&verified=true
//	POST /control/revoke?token=T
func (f *Fake) control() {
	for path, h := range map[string]func(*http.Request) (any, string){
		"token":     f.controlToken,
		"device":    f.controlDevice,
		"misbehave": f.controlMisbehave,
		"rename":    f.controlRename,
		"email":     f.controlEmail,
		"revoke":    f.controlRevoke,
	} {
		f.mux.HandleFunc("POST /control/"+path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
			answer, fault := h(r)
			if fault != "" {
				writeJSON(w, http.StatusBadRequest, map[string]any{"fault": fault})
				return
			}
			if answer == nil {
				answer = map[string]any{}
			}
			writeJSON(w, http.StatusOK, answer)
		})
	}
}

const noSuchUser = "as: no such user"

func (f *Fake) controlToken(r *http.Request) (any, string) {
	client := r.FormValue("client")
	switch {
	case f.User(r.FormValue("as")).Key == "":
		return nil, noSuchUser
	case !f.hasClient(client):
		return nil, "client: no such client"
	}
	return map[string]any{"token": f.Token(r.FormValue("as"), client)}, ""
}

func (f *Fake) controlDevice(r *http.Request) (any, string) {
	decision := Decision(r.FormValue("decision"))
	switch decision {
	case Approve, Deny, Expire:
	default:
		return nil, "decision: approve, deny or expire"
	}
	if !f.Decide(r.FormValue("user_code"), r.FormValue("as"), decision) {
		return nil, "user_code or as: no such device login or user"
	}
	return nil, ""
}

func (f *Fake) controlMisbehave(r *http.Request) (any, string) {
	m := Misbehaviour{Mode: Mode(r.FormValue("mode")), Error: r.FormValue("error"), To: r.FormValue("to")}
	for name, n := range map[string]*int{"times": &m.Times, "interval": &m.Interval, "status": &m.Status} {
		text := r.FormValue(name)
		if text == "" {
			continue
		}
		var err error
		if *n, err = strconv.Atoi(text); err != nil || *n < 0 {
			return nil, name + ": not a number"
		}
	}
	switch m.Mode {
	case None, Down, Hang, HTML, Huge, Empty, Error200, Error500, Redirect, SlowDown,
		NullSubject, EmptySubject, ZeroSubject, UnverifiedEmail, Form, Twice:
	default:
		return nil, "mode: no such mode"
	}
	if r.FormValue("path") == "" {
		return nil, "path: missing"
	}
	f.Misbehave(r.FormValue("path"), m)
	return nil, ""
}

func (f *Fake) controlRename(r *http.Request) (any, string) {
	if f.User(r.FormValue("as")).Key == "" {
		return nil, noSuchUser
	}
	f.Rename(r.FormValue("as"), r.FormValue("login"))
	return nil, ""
}

func (f *Fake) controlEmail(r *http.Request) (any, string) {
	verified, err := strconv.ParseBool(r.FormValue("verified"))
	switch {
	case f.User(r.FormValue("as")).Key == "":
		return nil, noSuchUser
	case err != nil:
		return nil, "verified: true or false"
	}
	f.SetEmail(r.FormValue("as"), r.FormValue("email"), verified)
	return nil, ""
}

func (f *Fake) controlRevoke(r *http.Request) (any, string) {
	f.Revoke(r.FormValue("token"))
	return nil, ""
}
