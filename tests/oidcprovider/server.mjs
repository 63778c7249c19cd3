// A real OpenID provider on a loopback port, for tests only: the npm package oidc-provider,
// with everything in memory, a few clients, and logins that approve themselves.
//
//   node server.mjs [port] [redirect_uri...]
//
// Without a port, or with 0, the system chooses one; REDIRECT_URIS (separated by commas)
// adds to the addresses given. One line on standard output says when it is ready:
//
//   ready http://127.0.0.1:PORT
//
// A login whose authorization address says login_hint=ada is approved for ada at once; any
// other shows a page with a link for each account. Access tokens for the resource (RFC 8707)
// https://jwt.example are JWTs (RFC 9068), those for https://opaque.example and for none are
// opaque; both have the scopes read and write. The process ends with its standard input, so
// that no test leaves one behind.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider, errors } from 'oidc-provider';

const accounts = {
  ada: { name: 'Ada Lovelace', preferred_username: 'ada-l', email: 'ada@example.com', email_verified: true },
  grace: { name: 'Grace Hopper', preferred_username: 'ghopper', email: 'grace@example.net', email_verified: true },
  mallory: { name: 'Mallory', preferred_username: 'mallory', email: 'mallory@example.com', email_verified: false },
};

const resources = { 'https://jwt.example': 'jwt', 'https://opaque.example': 'opaque' };

const [port = process.env.PORT ?? '0', ...given] = process.argv.slice(2);
const redirectURIs = [...given, ...(process.env.REDIRECT_URIS ?? '').split(',').filter(Boolean)];
if (redirectURIs.length === 0) redirectURIs.push('http://127.0.0.1/callback');

const server = createServer();
await new Promise((resolve, reject) => {
  server.once('error', reject);
  server.listen(Number(port), '127.0.0.1', resolve);
});
const issuer = `http://127.0.0.1:${server.address().port}`;

function signingKey(type, options, alg) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: `test-${alg}` };
}

function client(id, secret, more) {
  return {
    client_id: id,
    client_secret: secret,
    redirect_uris: redirectURIs,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    ...more,
  };
}

const provider = new Provider(issuer, {
  clients: [
    client('gatehouse-oidc', 'oidc-secret-0123456789'),
    client('gatehouse-oidc-es256', 'oidc-secret-0123456789', { id_token_signed_response_alg: 'ES256' }),
    client('other-app', 'other-secret-0123456789'),
    client('gatehouse-robot', 'oidc-secret-0123456789', { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] }),
  ],
  jwks: { keys: [signingKey('rsa', { modulusLength: 2048 }, 'RS256'), signingKey('ec', { namedCurve: 'P-256' }, 'ES256')] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
  },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      async getResourceServerInfo(_, resource) {
        if (!Object.hasOwn(resources, resource)) throw new errors.InvalidTarget();
        return { audience: resource, scope: 'read write', accessTokenFormat: resources[resource], jwt: { sign: { alg: 'ES256' } } };
      },
    },
    revocation: { enabled: true },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: 600, AuthorizationCode: 60, ClientCredentials: 600, DeviceCode: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  async findAccount(_, id) {
    const claims = Object.hasOwn(accounts, id) ? accounts[id] : undefined;
    return claims && { accountId: id, claims: async () => ({ sub: id, ...claims }) };
  },
});

// approve ends one step of a login as if the account's owner had agreed.
async function approve(req, res, details, account) {
  if (details.prompt.name === 'login') {
    await provider.interactionFinished(req, res, { login: { accountId: account } });
    return;
  }
  const grant = details.grantId
    ? await provider.Grant.find(details.grantId)
    : new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  for (const resource of [details.params.resource ?? []].flat()) grant.addResourceScope(resource, details.params.scope);
  await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

async function interaction(req, res) {
  const details = await provider.interactionDetails(req, res);
  const asked = new URL(req.url, issuer).searchParams.get('as') ?? details.params.login_hint;
  if (details.prompt.name === 'consent' || (asked && Object.hasOwn(accounts, asked))) {
    await approve(req, res, details, asked);
    return;
  }
  const links = Object.keys(accounts).map((name) => `<li><a href="?as=${name}">${name}</a></li>`).join('');
  res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html><title>Log in</title><ul>${links}</ul>`);
}

const rest = provider.callback();
server.on('request', (req, res) => {
  if (!req.url.startsWith('/interaction/')) {
    rest(req, res);
    return;
  }
  interaction(req, res).catch((err) => {
    res.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' }).end(String(err.message));
  });
});

for (const event of ['server_error', 'grant.error', 'introspection.error']) {
  provider.on(event, (_, err) => process.stderr.write(`${event}: ${err.message}: ${err.error_detail ?? ''}\n`));
}
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.write(`ready ${issuer}\n`);
