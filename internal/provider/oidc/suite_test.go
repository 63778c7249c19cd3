package oidc_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

func TestProvider(t *testing.T) {
	providertest.Run(t, providertest.Subject{
		Fake: providertest.NewOpenID,
		Open: func(t *testing.T, s providertest.Setup) authority.Provider {
			return open(t, oidc.Options{
				Name: "oidc", ClientID: s.Client.ID, ClientSecret: s.Client.Secret, Issuer: s.Base, HTTP: s.HTTP, Deadline: s.Deadline,
			})
		},
		IDToken: true,
	})
}
