package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The bounds of a call.
const (
	DefaultDeadline = 10 * time.Second // from the first byte sent to the last one read
	MaxAnswer       = 1 << 20          // bytes of an answer's body, unpacked
	maxRedirects    = 3
)

// userAgent is how we call ourselves; some upstreams refuse who says nothing.
const userAgent = "Gatehouse"

// Options make a Client.
type Options struct {
	Name     string        // the provider's name in the configuration, for the log
	HTTP     *http.Client  // only its Transport is used; required
	Deadline time.Duration // of one call; zero: DefaultDeadline
}

// Client makes a provider's calls. Any number of goroutines may use it.
type Client struct {
	name     string
	http     http.Client
	once     http.Client // keeps no connections
	deadline time.Duration
}

// NewClient makes a Client. It fails without an HTTP client.
func NewClient(o Options) (*Client, error) {
	if o.HTTP == nil {
		return nil, errors.New("provider: no HTTP client")
	}
	once := o.HTTP.Transport
	if t, ok := once.(*http.Transport); ok {
		t = t.Clone()
		t.DisableKeepAlives = true
		once = t
	}
	return &Client{
		name: o.Name,
		// No cookies are kept, and the deadline is the call's own.
		http:     http.Client{Transport: o.HTTP.Transport, CheckRedirect: checkRedirect},
		once:     http.Client{Transport: once, CheckRedirect: checkRedirect},
		deadline: cmp.Or(o.Deadline, DefaultDeadline),
	}, nil
}

// Call is one request to an upstream. At most one of Form and JSON is its body, and at
// most one of Bearer and Basic says who asks.
type Call struct {
	Op     string // what is being done, for the log
	Method string // empty: GET, or POST with a body
	URL    string
	Header http.Header // besides Accept and User-Agent
	Form   url.Values
	JSON   any
	Bearer string        // an access token (RFC 6750 §2.1)
	Basic  *url.Userinfo // a name and a password, sent as they are (RFC 7617)
	// Again says that it does no harm to ask twice: a POST goes out on connections that were
	// kept, as a GET does, and on another where one has died under it (RFC 9110 §9.2.2).
	Again bool
	Most  int // bytes of the answer's body, unpacked; zero: MaxAnswer
}

// Answer is what an upstream said, whole and within the bounds.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	client *Client
	op     string
}

// Do makes a call. Errors: ProviderFailed, where there was no answer, a redirect that
// is not followed, or an answer over Most.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	within, cancel := context.WithTimeout(ctx, c.deadline)
	defer cancel()
	req, err := newRequest(within, call)
	if err != nil {
		return Answer{}, c.Failed(call.Op, errRequest)
	}
	res, err := c.over(req, call).Do(req)
	if err != nil {
		return Answer{}, c.Failed(call.Op, networkFault(ctx, err))
	}
	defer res.Body.Close()
	most := cmp.Or(call.Most, MaxAnswer)
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(most)+1))
	a := Answer{Status: res.StatusCode, Header: res.Header, Body: body, client: c, op: call.Op}
	switch {
	case err != nil:
		return Answer{}, c.Failed(call.Op, networkFault(ctx, err))
	case len(body) > most:
		return Answer{}, a.Failed("the answer is too large")
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return Answer{}, a.Failed("a redirect that is not followed")
	}
	return a, nil
}

// over is what a request goes out on: a POST that cannot be repeated on a connection of its
// own, since one that was kept may die under it. Nor is that kept: the answer may hold a
// token, and net/http would write into the log what comes after it, that same one once
// more, say.
func (c *Client) over(req *http.Request, call Call) *http.Client {
	if req.Method == http.MethodPost && !call.Again {
		return &c.once
	}
	return &c.http
}

func newRequest(ctx context.Context, call Call) (*http.Request, error) {
	method, kind := cmp.Or(call.Method, http.MethodGet), ""
	var body io.Reader
	switch {
	case call.Form != nil:
		body, kind = strings.NewReader(call.Form.Encode()), "application/x-www-form-urlencoded"
	case call.JSON != nil:
		raw, err := json.Marshal(call.JSON)
		if err != nil {
			return nil, err
		}
		body, kind = bytes.NewReader(raw), "application/json"
	}
	if body != nil {
		method = cmp.Or(call.Method, http.MethodPost)
	}
	req, err := http.NewRequestWithContext(ctx, method, call.URL, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	for name, values := range call.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if call.Again {
		req.Header["Idempotency-Key"] = nil // net/http's sign for it; without a value it is not sent
	}
	switch {
	case call.Bearer != "":
		req.Header.Set("Authorization", "Bearer "+call.Bearer)
	case call.Basic != nil:
		password, _ := call.Basic.Password()
		req.SetBasicAuth(call.Basic.Username(), password)
	}
	return req, nil
}

var (
	errRequest   = errors.New("the call cannot be written")
	errElsewhere = errors.New("a redirect to another host, which is not followed")
)

// checkRedirect follows a redirect only on the same host, and only of a GET: what is
// sent twice, or to another place, is sent to whoever made the upstream say so. A
// redirect that is not followed because of the method comes back as the answer.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Method != http.MethodGet || len(via) > maxRedirects:
		return http.ErrUseLastResponse
	case req.URL.Scheme != first.URL.Scheme || !strings.EqualFold(req.URL.Host, first.URL.Host):
		return errElsewhere
	}
	return nil
}

// isHTML reports whether the answer is a page for people: a proxy's, a login form, or
// an error of something that stands before the upstream.
func (a Answer) isHTML() bool {
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return kind == "text/html" || kind == "application/xhtml+xml"
}

// Object reads the answer as one JSON object, whatever its status. Errors:
// ProviderFailed.
func (a Answer) Object() (Object, error) {
	if a.isHTML() {
		return nil, a.Failed("a page instead of JSON")
	}
	o, err := ParseObject(a.Body)
	if err != nil {
		return nil, a.Failed(err.Error())
	}
	return o, nil
}

// List reads the answer as a JSON array of objects, whatever its status. Errors:
// ProviderFailed.
func (a Answer) List() ([]Object, error) {
	if a.isHTML() {
		return nil, a.Failed("a page instead of JSON")
	}
	list, err := ParseList(a.Body)
	if err != nil {
		return nil, a.Failed(err.Error())
	}
	return list, nil
}
