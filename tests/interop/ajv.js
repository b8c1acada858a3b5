// Cases for the game receiver and what the guidance's processing makes of them: the schema in ajv, String() and
// Number() by JavaScript itself. usage: node ajv.js COUNT SEED APPLICATION NAME APPLICATION NAME. A line of JSON for each.
const Ajv2020 = require('ajv/dist/2020');
const [count, seed, ...registered] = process.argv.slice(2);
const names = new Map();
for (let i = 0; i < registered.length; i += 2) names.set(registered[i], registered[i + 1]);

const uuid = '^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';
const word = { type: 'string', pattern: '^[A-Za-z0-9-_.]+$' };
const event = {
    type: 'object', additionalProperties: false,
    properties: {
        event_id: { type: 'string', pattern: uuid }, event_type: word, event_name: word, event_timestamp: { type: 'number' },
        event_version: word, app_version: word, event_data: { type: 'object' },
    },
    required: ['event_id', 'event_type', 'event_timestamp', 'event_name'],
};
const schema = {
    type: 'object', additionalProperties: false, definitions: { event },
    properties: { event: { $ref: '#/definitions/event' }, application_id: { type: 'string', pattern: uuid } }, required: ['event', 'application_id'],
};
const ajv = new Ajv2020();
const validate = ajv.compile(schema);

let state = Number(seed) >>> 0;
function random(n) { // xorshift
    state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0;
    return state % n;
}
const pick = (list) => list[random(list.length)];

const ID = '"34c74de5-69d9-4f06-86ac-4b98fef8bca9"';
const good = [
    ['event_id', ID], ['event_type', '"client"'], ['event_name', '"login"'], ['event_timestamp', '1737658977'],
    ['event_version', '"1.0.0"'], ['app_version', '"1.0.0"'], ['event_data', '{"platform":"pc","n":1.50,"list":[1,2,{"a":null}]}'],
];
const values = [
    'null', 'true', 'false', '0', '-0', '1', '-1', '1.0', '1737658977.25', '1e3', '1E-7', '1e21', '123456789012345680000', '1e400', '-1e400', '5e-324',
    '0.1', '123456789.123456789', '1737658977000', '""', '" "', '"a"', '"a b"', '"\\u0061"', '"a\\u002eb"', '"\\ud800"', '"\\ud83d\\ude00"', '"é"', '"a\\n"',
    '"0x10"', '"0b12"', '"1e3"', '" 12 "', '".5"', '"5."', '"Infinity"', '"-Infinity"', '"NaN"', '"1_0"', '"\\u00a07"', '[]', '[1]', '["2"]', '[1,2]', '[null]',
    '[[3]]', '[{}]', '[[],[null,"x",[true]]]', '{}', '{"a":1}', '{"a":{"b":[]}}', '{"valueOf":1}', '"34C74DE5-69d9-4f06-86ac-4b98fef8bca9"',
    '"34c74de5-69d9-0f06-86ac-4b98fef8bca9"', '"34c74de5-69d9-4f06-c6ac-4b98fef8bca9"', '"34c74de5-69d9-5f06-bfac-4b98fef8bca9"', ID, '"A-Z_a.z"',
    '1737658977.000000000000000000000000000001', '9007199254740993', '-9007199254740993', '"9007199254740993"', '1.7976931348623157e308',
];
const keys = ['extra', 'Event_id', 'event_id ', '7', '10', '07', '4294967294', '4294967295', '-1', '1.5', '', '__proto__', 'constructor', 'a\\"b', '\\u0035',
    'event\\u005fid', 'é', 'event_dat', 'event_timestam'];

const object = (members) => '{' + members.map(([key, value]) => `"${key}":${value}`).join(random(8) ? ',' : ' , ') + '}';

function someEvent() {
    let members = good.map((m) => [...m]).filter((_, i) => i < 4 || random(2));
    for (let changes = random(4); changes > 0; changes--) {
        switch (random(5)) {
        case 0: members.splice(random(members.length + 1), 1); break;
        case 1: case 2: if (members.length) pick(members)[1] = pick(values); break;
        case 3: members.splice(random(members.length + 1), 0, [pick(keys), pick(values)]); break;
        default: members.splice(random(members.length + 1), 0, [pick(good)[0], pick(values)]); // perhaps twice
        }
    }
    if (!random(4)) members.sort(() => random(3) - 1);
    return random(40) ? object(members) : pick(values);
}

function someRecord() {
    const members = [['event', someEvent()], ['application_id', random(6) ? `"${registered[0]}"` : pick([`"${registered[2]}"`, '"nobody"', ID, '""', '5', 'null', '[]'])]];
    if (!random(3)) {
        members.push(['aws_ga_api_validated_flag', random(3) ? 'true' : pick(values)]);
        if (random(4)) members.push(['aws_ga_api_requestId', random(4) ? '"req-1"' : pick(values)]);
        if (random(4)) members.push(['aws_ga_api_requestTimeEpoch', random(4) ? '1737658980123' : pick(values)]);
    }
    if (!random(12)) members.push([pick(keys), pick(values)]);
    if (!random(30)) members.splice(random(members.length), 1);
    if (!random(4)) members.sort(() => random(3) - 1);
    return random(60) ? object(members) : pick(values);
}

// Without ingestion_id and processing_timestamp, which are new each time; null: processing fails.
function process_(text, convert) {
    const input = JSON.parse(text);
    if (input === null || typeof input !== 'object' || Array.isArray(input) || !Object.hasOwn(input, 'application_id') || !Object.hasOwn(input, 'event')) return null;
    const id = input.application_id, e = input.event;
    if (e === null || typeof id !== 'string' || id === '') return null;
    const metadata = {};
    if (input.aws_ga_api_validated_flag) {
        metadata.api = {};
        for (const [from, to] of [['aws_ga_api_requestId', 'request_id'], ['aws_ga_api_requestTimeEpoch', 'request_time_epoch']])
            if (input[from]) {
                metadata.api[to] = input[from];
                delete input[from];
            }
        delete input.aws_ga_api_validated_flag;
    }
    const known = names.has(id);
    if (!known) metadata.processing_result = { status: 'unregistered' };
    else if (validate(input)) metadata.processing_result = { status: 'ok' };
    else metadata.processing_result = { status: 'schema_mismatch', validation_errors: validate.errors };
    const out = { metadata };
    const has = (key) => Object.prototype.hasOwnProperty.call(e, key);
    for (const key of ['event_id', 'event_type', 'event_name', 'event_version']) if (has(key)) out[key] = String(e[key]);
    if (has('event_timestamp')) {
        out.event_timestamp = Number(e.event_timestamp);
        if (convert && known) {
            const date = new Date(0);
            date.setUTCSeconds(out.event_timestamp);
            out.event_timestamp = date;
        }
    }
    if (has('app_version')) out.app_version = String(e.app_version);
    if (has('event_data')) out.event_data = e.event_data;
    if (known) out.application_name = names.get(id);
    out.application_id = id;
    return out;
}

// The first event that the API refuses, and why; null: none.
function refused(text) {
    const { events } = JSON.parse(text);
    for (let i = 0; i < events.length; i++)
        if (!validate({ event: events[i], application_id: registered[0] })) {
            const [error] = validate.errors;
            const where = error.instancePath.replace('/event', '').replaceAll('/', '.');
            const key = error.params.additionalProperty;
            return `events[${i}]${where} ${error.message}` + (key === undefined ? '' : `: '${key}'`);
        }
    return null;
}

for (let i = 0; i < Number(count); i++) {
    if (i % 2) {
        const body = `{"events":[${Array.from({ length: 1 + random(3) }, someEvent).join(',')}]}`;
        console.log(JSON.stringify({ kind: 'A', text: body, refused: refused(body) }));
    } else {
        const text = someRecord();
        console.log(JSON.stringify({ kind: 'P', text, line: process_(text, false), iso: process_(text, true) }));
    }
}
