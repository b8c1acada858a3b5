// Calls the admin API as Postman does: npm's aws4 makes the signature. argv: port, access key, secret, then a JSON list of
// {method, path, body, service, query}; prints a JSON list of {status, body}.
const aws4 = require('aws4');
const http = require('http');

const [port, accessKeyId, secretAccessKey, text] = process.argv.slice(2);

function call(one) {
  const options = {host: '127.0.0.1:' + port, path: one.path, method: one.method, region: 'us-east-1', headers: {}};
  if (one.service !== undefined) options.service = one.service;
  if (one.body) options.body = one.body;
  if (one.query) options.signQuery = true;
  options.headers['Content-Type'] = 'application/json';
  if (one.query) delete options.headers['Content-Type'];
  const signed = aws4.sign(options, {accessKeyId, secretAccessKey});
  return new Promise((resolve, reject) => {
    const request = http.request({host: '127.0.0.1', port, method: signed.method, path: signed.path, headers: signed.headers}, (answer) => {
      let body = '';
      answer.on('data', (chunk) => { body += chunk; });
      answer.on('end', () => resolve({status: answer.statusCode, body}));
    });
    request.on('error', reject);
    if (one.body) request.write(one.body);
    request.end();
  });
}

(async () => {
  const answers = [];
  for (const one of JSON.parse(text)) answers.push(await call(one));
  console.log(JSON.stringify(answers));
})().catch((error) => { console.error(error); process.exit(1); });
