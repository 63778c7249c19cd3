package provider

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// DeviceGrant is the grant type of a device login (RFC 8628 §3.4).
const DeviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// The bounds of a device login. What the upstream leaves out has the default, what it
// says beyond the bounds is cut to them.
const (
	defaultDeviceLife     = 15 * time.Minute
	maxDeviceLife         = time.Hour
	defaultDeviceInterval = 5 * time.Second // RFC 8628 §3.2
	maxDeviceInterval     = 5 * time.Minute
	maxUserCode           = 64
)

// StartDevice begins a device login (RFC 8628 §3.1) at the device authorization
// endpoint. Errors: Invalid (device logins are switched off there), ProviderFailed.
func (c *Client) StartDevice(ctx context.Context, e Endpoint, scope string) (authority.UpstreamDevice, error) {
	form := url.Values{"client_id": {e.Client}}
	if scope != "" {
		form.Set("scope", scope)
	}
	a, err := c.Do(ctx, e.Call(OpStartDevice, form))
	if err != nil {
		return authority.UpstreamDevice{}, err
	}
	o, code, err := a.tokenAnswer()
	switch {
	case err != nil:
		return authority.UpstreamDevice{}, err
	case code == "device_flow_disabled":
		return authority.UpstreamDevice{}, c.NoDevices(errors.New("device_flow_disabled: enable the device flow in the app's settings at the upstream"))
	case code != "":
		return authority.UpstreamDevice{}, c.Failed(OpStartDevice, refusal(code))
	}
	d, err := deviceOf(o)
	if err != nil {
		return authority.UpstreamDevice{}, a.Failed(err.Error())
	}
	return d, nil
}

// deviceOf reads the answer that begins a device login. One upstream says
// verification_url where RFC 8628 §3.2 says verification_uri.
func deviceOf(o Object) (d authority.UpstreamDevice, err error) {
	code, err1 := o.Text("device_code")
	user, err2 := o.Text("user_code")
	uri, err3 := o.Text("verification_uri")
	other, err4 := o.Text("verification_url")
	life, err5 := o.Integer("expires_in")
	interval, err6 := o.Integer("interval")
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return d, err
	}
	if uri == "" {
		uri = other
	}
	switch {
	case !visible(code, MaxCode):
		return d, errors.New("no device code, or not one that can be used")
	case !visible(user, maxUserCode):
		return d, errors.New("no user code, or not one that can be typed")
	case checkPage(uri) != nil:
		return d, errors.New("no verification address, or not one to send people to")
	}
	return authority.UpstreamDevice{
		DeviceCode: code, UserCode: user, VerificationURI: uri,
		ExpiresIn: seconds(life, defaultDeviceLife, maxDeviceLife),
		Interval:  seconds(interval, defaultDeviceInterval, maxDeviceInterval),
	}, nil
}

// checkPage refuses an address where we would not send people: it may have a query.
func checkPage(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || !visible(raw, maxAddress) {
		return errors.New("not an address")
	}
	u.RawQuery, u.ForceQuery = "", false
	return CheckURL(u.String())
}

// seconds cuts n seconds to its bounds; nothing, or less, is the default.
func seconds(n int64, otherwise, most time.Duration) time.Duration {
	switch {
	case n <= 0:
		return otherwise
	case n > int64(most/time.Second):
		return most
	}
	return time.Duration(n) * time.Second
}

// PollDevice asks the token endpoint once whether the user has decided (RFC 8628 §3.4).
// Errors: ProviderFailed, also for what is our own fault.
func (c *Client) PollDevice(ctx context.Context, e Endpoint, deviceCode string) (authority.DevicePoll, error) {
	if !visible(deviceCode, MaxCode) {
		return authority.DevicePoll{}, c.Failed(OpPollDevice, errors.New("not a device code"))
	}
	a, err := c.Do(ctx, e.Call(OpPollDevice, url.Values{"grant_type": {DeviceGrant}, "device_code": {deviceCode}}))
	if err != nil {
		return authority.DevicePoll{}, err
	}
	o, code, err := a.tokenAnswer()
	if err != nil {
		return authority.DevicePoll{}, err
	}
	switch code {
	case "":
		g, err := a.grant(o, "")
		if err != nil {
			return authority.DevicePoll{}, err
		}
		return authority.DevicePoll{Answer: authority.DeviceGranted, Grant: g}, nil
	case "authorization_pending":
		return authority.DevicePoll{Answer: authority.DevicePending}, nil
	case "slow_down":
		// An interval that cannot be read is none: the caller then adds its 5 s.
		n, _ := o.Integer("interval")
		return authority.DevicePoll{Answer: authority.DeviceSlowDown, Interval: seconds(n, 0, maxDeviceInterval)}, nil
	case "access_denied", "admin_policy_enforced", "org_internal":
		return authority.DevicePoll{Answer: authority.DeviceDenied}, nil
	// A device code that is spent or unknown is as dead as one that is too old.
	case "expired_token", "token_expired", "invalid_grant":
		return authority.DevicePoll{Answer: authority.DeviceExpired}, nil
	}
	return authority.DevicePoll{}, c.Failed(OpPollDevice, refusal(code))
}
