// Every certificate of the truststore counts by itself, and SIGHUP reads the truststore again.
const fs = require('fs');
const https = require('https');
const tls = require('tls');
const env = process.env;

const read = () => ({
  key: fs.readFileSync(env.MTLS_SERVER_KEY),
  cert: fs.readFileSync(env.MTLS_SERVER_CERT),
  ca: fs.readFileSync(env.MTLS_TRUSTSTORE),
  allowPartialTrustChain: true,
});

let options = read();
let context = tls.createSecureContext(options);
const server = https.createServer({
  ...options,
  requestCert: true,
  rejectUnauthorized: true,
  // createServer itself drops allowPartialTrustChain; a context of one's own keeps it
  SNICallback: (name, done) => done(null, context),
}, (request, response) => {
  response.writeHead(200);
  response.end('hello world\n');
});

process.on('SIGHUP', () => {
  try {
    const next = read();
    const nextContext = tls.createSecureContext(next);
    server.setSecureContext(next); // for clients without SNI, and so that no old session is resumed
    [options, context] = [next, nextContext];
  } catch (error) {
    console.error(`reload: ${error.message}; the last good truststore stays in force`);
  }
});
server.listen(Number(env.MTLS_PORT), env.MTLS_HOST);
