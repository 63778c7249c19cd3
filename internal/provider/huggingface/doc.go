// Package huggingface logs in with Hugging Face.
//
// It owns the check of bare access tokens, which rests on nothing that Hugging Face
// documents and is therefore off unless the operator asks for it; without it every bare
// token is refused. Codes and device logins need no such check: we redeem them ourselves,
// with our secret. Everything but the check is provider/oidc.
//
// The check: an OAuth access token is hf_oauth_ and a JWT whose payload names the client.
// Either the key set vouches for it, or userinfo does by accepting this very token: then
// it is Hugging Face that made it, and what it says of the client is true. Personal
// tokens (hf_) and tokens of other forms (hf_jwt_) never pass.
//
// Only the assembly imports it; it imports provider, provider/oidc and authority.
package huggingface
