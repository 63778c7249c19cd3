package wire

import (
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func basicField(plain string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(plain))
}

// FuzzBasic: what is taken is text with an id, and encoding it again as RFC
// 6749 §2.3.1 says gives the same client.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{
		"", "Basic", "Basic ", "Bearer x", basicField("app:s3cret"), basicField("my+app%3A1:a%2Bb"), basicField("app:"),
		basicField("app"), basicField(":x"), basicField("a%zz:b"), basicField("a\x00:b"), "basic YXBwOnMzY3JldB==", "Basic YXBw\nOg==",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		got, err := Basic(field)
		if err != nil {
			if got != (authority.ClientAuth{}) || authority.KindOf(err) != authority.ClientUnauthenticated {
				t.Fatalf("Basic(%q) = %+v, %v", field, got, err)
			}
			return
		}
		if got.Method != authority.AuthBasic || got.ID == "" || !ValidText(got.ID) || !ValidText(got.Secret) {
			t.Fatalf("Basic(%q) = %+v", field, got)
		}
		if again := basicField(url.QueryEscape(got.ID) + ":" + url.QueryEscape(got.Secret)); len(again) <= maxBasic {
			if back, err := Basic(again); err != nil || back != got {
				t.Fatalf("%+v came back as %+v, %v", got, back, err)
			}
		}
	})
}
