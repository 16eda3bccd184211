// Answers one question a line, of co-wechat: a JSON array, answered by {"ok": …} or {"error": …}.
// Everything goes through its middleware, the only thing that it exports.
'use strict';

const readline = require('readline');
const wechat = require('co-wechat');

const TOKEN = 'rosebud7';
const [, , USER, OURSELVES] = process.argv;

async function deliver(config, query, body, handle, isDebug) {
  const ctx = {method: body === null ? 'GET' : 'POST', query, request: {body}, status: 200};
  await wechat(config, isDebug).middleware(handle)(ctx);
  return ctx;
}

async function read(document) {
  let message;
  await deliver(TOKEN, {}, document, async (seen) => {
    message = seen;
    return '';
  }, true);
  return message;
}

const text = (content) => `<xml><ToUserName><![CDATA[${OURSELVES}]]></ToUserName>` +
  `<FromUserName><![CDATA[${USER}]]></FromUserName><CreateTime>1735689600</CreateTime>` +
  `<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[${content}]]></Content><MsgId>1</MsgId></xml>`;

const answers = {
  async takes_signature(signature, timestamp, nonce) {
    const ctx = await deliver(TOKEN, {signature, timestamp, nonce, echostr: '1'}, null);
    return ctx.status === 200;
  },
  async open(appid, encodingAESKey, body, msg_signature, timestamp, nonce) {
    const query = {encrypt_type: 'aes', msg_signature, timestamp, nonce};
    let content;
    const ctx = await deliver({token: TOKEN, appid, encodingAESKey}, query, body, async (message) => {
      content = message.Content;
      return '';
    });
    if (ctx.status !== 200) {
      throw new Error(ctx.body);
    }
    return content;
  },
  async read(document, name) {
    return (await read(document))[name];
  },
  async reply(content) {
    return (await deliver(TOKEN, {}, text('hi'), async () => content, true)).body;
  },
  async sealed_reply(appid, encodingAESKey, content) {
    const WXBizMsgCrypt = require('wechat-crypto');
    const crypt = new WXBizMsgCrypt(TOKEN, encodingAESKey, appid);
    const encrypt = crypt.encrypt(text('hi'));
    const [timestamp, nonce] = ['1735689600', '415802'];
    const query = {encrypt_type: 'aes', timestamp, nonce,
      msg_signature: crypt.getSignature(timestamp, nonce, encrypt)};
    const body = `<xml><Encrypt><![CDATA[${encrypt}]]></Encrypt></xml>`;
    return (await deliver({token: TOKEN, appid, encodingAESKey}, query, body, async () => content)).body;
  },
  async deliver_twice(document) {
    let runs = 0;
    const middleware = wechat(TOKEN, true).middleware(async () => `answered in run ${++runs}`);
    const bodies = [];
    for (let delivery = 0; delivery < 2; delivery++) {
      const ctx = {method: 'POST', query: {}, request: {body: document}};
      await middleware(ctx);
      bodies.push(ctx.body.replace(/<CreateTime>\d+/, ''));
    }
    return [runs, bodies[0] === bodies[1]];
  },
  async nanoseconds(document) {
    const times = [];
    for (let batch = 0; batch < 15; batch++) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < 1000; i++) {
        await read(document);
      }
      times.push(Number(process.hrtime.bigint() - start) / 1000);
    }
    return times.sort((a, b) => a - b)[7];
  },
};

(async () => {
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [question, ...rest] = JSON.parse(line);
    let answer;
    try {
      const ok = await answers[question](...rest);
      answer = {ok: ok === undefined ? null : ok};
      // What it gives in place of a text is shown as it is.
      if (ok && typeof ok === 'object' && question === 'read') {
        answer.ok = JSON.stringify(ok);
      }
    } catch (error) {
      answer = {error: String(error)};
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
})();
