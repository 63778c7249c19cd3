package oauth

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// The well-known paths (RFC 8615).
const (
	authorizationServer = "/.well-known/oauth-authorization-server"
	openIDConfiguration = "/.well-known/openid-configuration"
	protectedResource   = "/.well-known/oauth-protected-resource"
)

// serverMetadata is RFC 8414 §2. Only what answers stands in it.
type serverMetadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	GrantTypes            []string `json:"grant_types_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	Scopes                []string `json:"scopes_supported,omitempty"`
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
}

// openIDMetadata adds what OpenID Connect Discovery §3 requires.
type openIDMetadata struct {
	serverMetadata
	SubjectTypes []string `json:"subject_types_supported"`
	SigningAlgs  []string `json:"id_token_signing_alg_values_supported"`
}

// resourceMetadata is RFC 9728 §2.
type resourceMetadata struct {
	Resource      string   `json:"resource"`
	Servers       []string `json:"authorization_servers"`
	BearerMethods []string `json:"bearer_methods_supported"`
	Scopes        []string `json:"scopes_supported,omitempty"`
}

func describe(realm *Realm) serverMetadata {
	base := strings.TrimSuffix(realm.Issuer, "/")
	methods := []string{"client_secret_basic", "client_secret_post"}
	tokens := methods
	if realm.PublicClients {
		tokens = append(slices.Clone(methods), "none")
	}
	return serverMetadata{
		Issuer:                realm.Issuer,
		TokenEndpoint:         base + tokenPath,
		JWKSURI:               base + jwksPath,
		IntrospectionEndpoint: base + introspectPath,
		RevocationEndpoint:    base + revokePath,
		GrantTypes:            append([]string{}, realm.Grants...), // never null
		ResponseTypes:         []string{},
		Scopes:                realm.Scopes,
		TokenAuth:             tokens,
		IntrospectionAuth:     methods,
		RevocationAuth:        tokens,
	}
}

// metadataRoutes lists a place's two documents, at both addresses where clients
// look for each.
func metadataRoutes(p place) ([]wire.Route, error) {
	server := describe(p.realm)
	var routes []wire.Route
	for path, document := range map[string]any{
		authorizationServer: server,
		openIDConfiguration: openIDMetadata{server, []string{"public"}, []string{p.realm.SigningAlg}},
	} {
		handle, err := document200(document)
		if err != nil {
			return nil, err
		}
		routes = append(routes, wire.Route{Path: p.base + path, Methods: []string{http.MethodGet}, Handle: handle})
		if p.base != "" {
			routes = append(routes, wire.Route{Path: path + p.base, Methods: []string{http.MethodGet}, Handle: handle})
		}
	}
	return routes, nil
}

// document200 answers with a document that is encoded once.
func document200(document any) (http.HandlerFunc, error) {
	raw, err := wire.JSON(document)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, _ *http.Request) { _ = encodePublic(w, raw) }, nil
}

// MetadataURL is where the metadata of a protected resource is (RFC 9728 §3.1), nil where it
// has no address that could be asked, as a URN. Errors: the resource is not a URL.
func MetadataURL(resource string) (*url.URL, error) {
	u, err := url.Parse(resource)
	if err != nil || u.Host == "" {
		return nil, err
	}
	at := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: protectedResource, RawQuery: u.RawQuery}
	if u.Path != "/" { // a slash that ends the host goes
		at.Path += u.Path
	}
	if u.RawPath != "" {
		at.RawPath = protectedResource + u.RawPath
	}
	return at, nil
}

// resourceRoutes lists the protected resources: each realm's configured ones, and
// each issuer itself unless it is configured as one. Two realms may share one.
func resourceRoutes(realms []Realm) ([]wire.Route, error) {
	var order []string
	documents := make(map[string]*resourceMetadata)
	add := func(realm *Realm, resource string, scopes []string) error {
		at, err := MetadataURL(resource)
		if err != nil {
			return fmt.Errorf("realm %q: the resource %q is not a URL", realm.Name, resource)
		}
		if at == nil {
			return nil
		}
		key := resourceKey(at.Host, at.EscapedPath(), at.RawQuery)
		doc, known := documents[key]
		if !known {
			doc = &resourceMetadata{Resource: resource, BearerMethods: []string{"header"}}
			documents[key], order = doc, append(order, key)
		}
		doc.Servers = union(doc.Servers, []string{realm.Issuer})
		doc.Scopes = union(doc.Scopes, scopes)
		return nil
	}
	for i := range realms {
		for _, resource := range realms[i].Resources {
			if err := add(&realms[i], resource.URL, resource.Scopes); err != nil {
				return nil, err
			}
		}
	}
	for i := range realms {
		realm := &realms[i]
		if slices.ContainsFunc(realm.Resources, func(r Resource) bool { return r.URL == realm.Issuer }) {
			continue
		}
		if err := add(realm, realm.Issuer, realm.Scopes); err != nil {
			return nil, err
		}
	}
	routes := make([]wire.Route, 0, len(order))
	for _, key := range order {
		handle, err := document200(documents[key])
		if err != nil {
			return nil, err
		}
		routes = append(routes, wire.Route{Path: key, Methods: []string{http.MethodGet}, Handle: handle})
	}
	return routes, nil
}

// resourceKey is the address of a resource's metadata without its scheme (TLS may
// end before us) and without a default port.
func resourceKey(host, path, query string) string {
	host = strings.ToLower(host)
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
	if query != "" {
		query = "?" + query
	}
	return host + path + query
}

func union(all, more []string) []string {
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
