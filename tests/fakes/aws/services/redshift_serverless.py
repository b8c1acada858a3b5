"""Redshift Serverless: passwords for the database, which a test sets."""
from tests.fakes.aws.core import Failure, Service


class RedshiftServerless(Service):
    name, target = "redshift-serverless", "RedshiftServerless"
    throttle = ("ThrottlingException", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.workgroups = {}  # name -> (user, password)

    def GetCredentials(self, arguments):
        if arguments.get("workgroupName") not in self.workgroups:
            raise Failure("ResourceNotFoundException", "workgroup not found")
        user, password = self.workgroups[arguments["workgroupName"]]
        return {"dbUser": user, "dbPassword": password, "expiration": self.fake.now() + arguments.get("durationSeconds", 900)}


SERVICE = RedshiftServerless
