"""Redshift, provisioned: GetClusterCredentials, in the query protocol."""
import urllib.parse
from xml.sax.saxutils import escape

from tests.fakes.aws.core import Failure, Service


class Redshift(Service):
    name = "redshift"
    throttle = ("Throttling", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.clusters = {}  # identifier -> (user, password)

    def route(self, request):
        arguments = dict(urllib.parse.parse_qsl(request.body.decode()))
        return arguments.get("Action", ""), arguments

    def answer(self, request, result):
        members = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in result.items())
        body = f"<GetClusterCredentialsResponse><GetClusterCredentialsResult>{members}</GetClusterCredentialsResult></GetClusterCredentialsResponse>"
        return 200, {"Content-Type": "text/xml"}, body.encode()

    def refusal(self, request, failure):
        body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{failure.code}</Code><Message>{escape(failure.message)}</Message></Error></ErrorResponse>"
        return failure.status, {"Content-Type": "text/xml"}, body.encode()

    def GetClusterCredentials(self, arguments):
        if arguments.get("ClusterIdentifier") not in self.clusters:
            raise Failure("ClusterNotFound", "Cluster not found.", 404)
        user, password = self.clusters[arguments["ClusterIdentifier"]]
        return {"DbUser": user, "DbPassword": password, "Expiration": "2030-01-01T00:00:00Z"}


SERVICE = Redshift
