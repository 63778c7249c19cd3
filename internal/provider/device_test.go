package provider

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestDeviceStarts(t *testing.T) {
	const good = `"device_code":"d","user_code":"ABCD-EFGH","verification_uri":"https://example.com/device"`
	for _, tc := range []struct {
		story, body    string
		life, interval time.Duration // zero life: refused
	}{
		{"all said", `{` + good + `,"expires_in":1800,"interval":7}`, 30 * time.Minute, 7 * time.Second},
		{"the least", `{` + good + `}`, 15 * time.Minute, 5 * time.Second},
		{"numbers as text", `{` + good + `,"expires_in":"60","interval":"7"}`, time.Minute, 7 * time.Second},
		{"nothing and less", `{` + good + `,"expires_in":-1,"interval":0}`, 15 * time.Minute, 5 * time.Second},
		{"too much", `{` + good + `,"expires_in":9223372036854775807,"interval":9223372036854775807}`, time.Hour, 5 * time.Minute},
		{"another name", `{` + strings.Replace(good, "_uri", "_url", 1) + `}`, 15 * time.Minute, 5 * time.Second},
		{"an address with a query", `{` + strings.Replace(good, "/device", "/device?x=1", 1) + `}`, 15 * time.Minute, 5 * time.Second},
		{"no device code", `{` + strings.Replace(good, `"d"`, `""`, 1) + `}`, 0, 0},
		{"no user code", `{` + strings.Replace(good, "ABCD-EFGH", "", 1) + `}`, 0, 0},
		{"a user code that is a text", `{` + strings.Replace(good, "ABCD-EFGH", "call me at once", 1) + `}`, 0, 0},
		{"no address", `{` + strings.Replace(good, "https://example.com/device", "", 1) + `}`, 0, 0},
		{"a script for an address", `{` + strings.Replace(good, "https://example.com/device", "javascript:alert(1)", 1) + `}`, 0, 0},
		{"an address without TLS", `{` + strings.Replace(good, "https:", "http:", 1) + `}`, 0, 0},
		{"a code that is a number", `{` + strings.Replace(good, `"d"`, `7`, 1) + `}`, 0, 0},
		{"a life that is none", `{` + good + `,"expires_in":"long"}`, 0, 0},
	} {
		c, base := upstream(t, says(http.StatusOK, jsonType, tc.body))
		d, err := c.StartDevice(t.Context(), Endpoint{URL: base, Client: "id", Place: SecretNowhere}, "email")
		if tc.life == 0 {
			wantKind(t, tc.story, err, authority.ProviderFailed)
			continue
		}
		if err != nil || d.ExpiresIn != tc.life || d.Interval != tc.interval || !strings.HasPrefix(d.VerificationURI, "https://example.com/device") {
			t.Errorf("%s: login is %+v, error %v", tc.story, d, err)
		}
	}
}

// The upstreams have their own words and statuses for the answers of RFC 8628 §3.5.
func TestDevicePolls(t *testing.T) {
	for _, tc := range []struct {
		status   int
		body     string
		want     authority.DeviceAnswer
		interval time.Duration
		fails    bool
	}{
		{status: 200, body: `{"access_token":"t"}`, want: authority.DeviceGranted},
		{status: 200, body: `{"error":"authorization_pending"}`, want: authority.DevicePending},
		{status: 400, body: `{"error":"authorization_pending"}`, want: authority.DevicePending},
		{status: 428, body: `{"error":"authorization_pending"}`, want: authority.DevicePending},
		{status: 200, body: `{"error":"slow_down","interval":10}`, want: authority.DeviceSlowDown, interval: 10 * time.Second},
		{status: 403, body: `{"error":"slow_down"}`, want: authority.DeviceSlowDown},
		{status: 400, body: `{"error":"slow_down","interval":"soon"}`, want: authority.DeviceSlowDown},
		{status: 400, body: `{"error":"slow_down","interval":-5}`, want: authority.DeviceSlowDown},
		{status: 403, body: `{"error":"access_denied"}`, want: authority.DeviceDenied},
		{status: 400, body: `{"error":"admin_policy_enforced"}`, want: authority.DeviceDenied},
		{status: 403, body: `{"error":"org_internal"}`, want: authority.DeviceDenied},
		{status: 400, body: `{"error":"expired_token"}`, want: authority.DeviceExpired},
		{status: 200, body: `{"error":"token_expired"}`, want: authority.DeviceExpired},
		{status: 400, body: `{"error":"invalid_grant"}`, want: authority.DeviceExpired},
		{status: 200, body: `{"error":"incorrect_device_code"}`, fails: true},
		{status: 200, body: `{"error":"unsupported_grant_type"}`, fails: true},
		{status: 200, body: `{"error":"incorrect_client_credentials"}`, fails: true},
		{status: 401, body: `{"error":"invalid_client"}`, fails: true},
		{status: 200, body: `{"access_token":""}`, fails: true},
		{status: 500, body: `{"error":"authorization_pending"}`, fails: true},
		{status: 429, body: `{"message":"later"}`, fails: true},
	} {
		c, base := upstream(t, says(tc.status, jsonType, tc.body))
		poll, err := c.PollDevice(t.Context(), Endpoint{URL: base, Client: "id", Place: SecretNowhere}, "d")
		if tc.fails {
			wantKind(t, tc.body, err, authority.ProviderFailed)
			continue
		}
		if err != nil || poll.Answer != tc.want || poll.Interval != tc.interval {
			t.Errorf("%d %s: poll is %+v, error %v", tc.status, tc.body, poll, err)
		}
	}
	c, base := upstream(t, says(http.StatusOK, jsonType, `{"access_token":"t"}`))
	_, err := c.PollDevice(t.Context(), Endpoint{URL: base}, "")
	wantKind(t, "no device code", err, authority.ProviderFailed)
}
