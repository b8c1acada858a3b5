"""STS: keys of a role, lent for Fake.lifetime_s. The query protocol: a form in, XML out."""
import datetime
import urllib.parse
from xml.sax.saxutils import escape

from tests.fakes.aws.core import Failure, Service


class Sts(Service):
    name, content_type = "sts", "text/xml"
    throttle = ("Throttling", 400)
    unsigned = {"AssumeRoleWithWebIdentity"}

    def __init__(self, fake):
        super().__init__(fake)
        self.web_token = "web-identity"  # what AssumeRoleWithWebIdentity takes

    def route(self, request):
        arguments = dict(urllib.parse.parse_qsl(request.body.decode()))
        return arguments.get("Action", ""), arguments

    def AssumeRole(self, arguments):
        return self.lend("AssumeRole", arguments)

    def AssumeRoleWithWebIdentity(self, arguments):
        if arguments.get("WebIdentityToken") != self.web_token:
            raise Failure("InvalidIdentityToken", "the token is not the present one")
        return self.lend("AssumeRoleWithWebIdentity", arguments)

    def lend(self, action, arguments):
        for name in ("RoleArn", "RoleSessionName"):
            if not arguments.get(name):
                raise Failure("ValidationError", f"{name} is missing")
        access, secret, token, ends = self.fake.lend()
        expires = datetime.datetime.fromtimestamp(ends, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.fake.asked.append(f"{action} {arguments['RoleArn']}")
        return (f"<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials><AccessKeyId>{access}</AccessKeyId>"
                f"<SecretAccessKey>{escape(secret)}</SecretAccessKey><SessionToken>{escape(token)}</SessionToken><Expiration>{expires}</Expiration>"
                f"</Credentials></{action}Result></{action}Response>")

    def answer(self, request, result):
        return 200, {"Content-Type": self.content_type}, result.encode()

    def refusal(self, request, failure):
        body = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(failure.code)}</Code><Message>{escape(failure.message)}</Message></Error>"
                f"<RequestId>{request.id}</RequestId></ErrorResponse>")
        return failure.status, {"Content-Type": self.content_type}, body.encode()


SERVICE = Sts
