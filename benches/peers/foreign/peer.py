"""Answers one question a line, of the SDK that is its first argument: wechatpy or WeRoBot.

A question is a JSON array, an answer {"ok": …} or {"error": …}.
"""

import json
import sys
import time

TOKEN, USER, OURSELVES = "rosebud7", sys.argv[2], sys.argv[3]


class Wechatpy:
    def takes_signature(self, signature, timestamp, nonce):
        from wechatpy.exceptions import InvalidSignatureException
        from wechatpy.utils import check_signature

        try:
            check_signature(TOKEN, signature, timestamp, nonce)
        except InvalidSignatureException:
            return False
        return True

    def crypto(self, app_id, aes_key):
        from wechatpy.crypto import WeChatCrypto

        return WeChatCrypto(TOKEN, aes_key, app_id)

    def open(self, app_id, aes_key, body, msg_signature, timestamp, nonce):
        from wechatpy import parse_message

        opened = self.crypto(app_id, aes_key).decrypt_message(
            body, msg_signature, timestamp, nonce
        )
        return parse_message(opened).content

    def read(self, document, name):
        from wechatpy import parse_message

        message = parse_message(document)
        if name == "Content":
            return message.content
        if name == "FromUserName":
            return message.source
        return message._data.get(name)

    def reply(self, text):
        from wechatpy.replies import TextReply

        return TextReply(source=OURSELVES, target=USER, content=text).render()

    def sealed_reply(self, app_id, aes_key, text):
        return self.crypto(app_id, aes_key).encrypt_message(
            self.reply(text), "415802", "1735689600"
        )

    def deliver_twice(self, document):
        # wechatpy/__init__.py exports parse_message, create_reply and the API clients.
        raise Exception("runs no handlers")

    def parse(self, document):
        from wechatpy import parse_message

        return lambda: parse_message(document)


class WeRoBot:
    def takes_signature(self, signature, timestamp, nonce):
        from werobot.utils import check_signature

        return check_signature(TOKEN, timestamp, nonce, signature)

    def crypto(self, app_id, aes_key):
        from werobot.crypto import MessageCrypt

        return MessageCrypt(TOKEN, aes_key, app_id)

    def open(self, app_id, aes_key, body, msg_signature, timestamp, nonce):
        from werobot.parser import parse_user_msg, parse_xml

        opened = self.crypto(app_id, aes_key).decrypt_message(
            timestamp, nonce, msg_signature, parse_xml(body)["Encrypt"]
        )
        return parse_user_msg(opened).content

    def read(self, document, name):
        from werobot.parser import parse_user_msg

        message = parse_user_msg(document)
        if name == "Content":
            return message.content
        if name == "FromUserName":
            return message.source
        return message.raw

    def message(self):
        from werobot.messages.messages import WeChatMessage

        return WeChatMessage({"ToUserName": OURSELVES, "FromUserName": USER})

    def reply(self, text):
        from werobot.replies import TextReply

        return TextReply(message=self.message(), content=text).render()

    def sealed_reply(self, app_id, aes_key, text):
        return self.crypto(app_id, aes_key).encrypt_message(self.reply(text))

    def deliver_twice(self, document):
        from werobot import WeRoBot
        from werobot.parser import parse_user_msg

        robot = WeRoBot(token=TOKEN, SESSION_STORAGE=False)
        runs = []

        @robot.text
        def answer(message):
            runs.append(message)
            return "answered in run %d" % len(runs)

        first = robot.get_encrypted_reply(parse_user_msg(document))
        second = robot.get_encrypted_reply(parse_user_msg(document))
        return [len(runs), bool(first) and first == second]

    def parse(self, document):
        from werobot.parser import parse_user_msg

        return lambda: parse_user_msg(document)


def nanoseconds(parse):
    times = []
    for _ in range(15):
        start = time.perf_counter_ns()
        for _ in range(1000):
            parse()
        times.append((time.perf_counter_ns() - start) / 1000)
    return sorted(times)[7]


peer = {"wechatpy": Wechatpy, "WeRoBot": WeRoBot}[sys.argv[1]]()
for line in sys.stdin:
    question, *arguments = json.loads(line)
    try:
        if question == "nanoseconds":
            answer = {"ok": nanoseconds(peer.parse(*arguments))}
        else:
            answer = {"ok": getattr(peer, question)(*arguments)}
    except Exception as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
        if str(error) == "runs no handlers":
            answer["error"] = str(error)
    # What an SDK gives in place of a text is shown as it is.
    if question == "read" and not isinstance(answer.get("ok"), (str, type(None))):
        answer["ok"] = repr(answer["ok"])
    print(json.dumps(answer), flush=True)
