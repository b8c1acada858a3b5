"""The yardstick: nginx's empty_gif with a JSON access log, unbuffered, in its own folder."""
import os
import pathlib
import shutil
import subprocess

from tests.lib import http
from tests.lib.ports import free_port
from tests.lib.wait import until

CONFIG = """
daemon off;
{user}
worker_processes {workers};
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    log_format json escape=json '{{"time":"$time_iso8601","ip":"$remote_addr","args":"$args","ua":"$http_user_agent","referer":"$http_referer"}}';
    log_format body escape=json '{{"time":"$time_iso8601","ip":"$remote_addr","body":"$request_body","ua":"$http_user_agent"}}';
    keepalive_requests 1000000000; keepalive_timeout 3600s; client_max_body_size 16m; client_body_buffer_size 256k;
    upstream self {{ server 127.0.0.1:{port}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /matomo.php {{ access_log {folder}/access.log json; empty_gif; }}
        location = /bulk {{ access_log {folder}/bulk.log body buffer=256k flush=1s; proxy_pass http://self/done; proxy_http_version 1.1;
                            proxy_set_header Connection ""; }}
        location = /done {{ access_log off; return 204; }}
        location /put/ {{ access_log off; root {folder}/stored; dav_methods PUT; create_full_put_path on; client_max_body_size 100m; }}
    }}
}}
"""


class Nginx:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        config = self.folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=self.folder, port=self.port, workers=os.cpu_count(),
                                        user="user root;" if os.geteuid() == 0 else ""))
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([binary, "-p", str(self.folder), "-c", str(config), "-e", str(self.folder / "error.log")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until(self.answers, 20, "nginx's first answer")

    def answers(self):
        try:
            return http.get(self.port, "/matomo.php").status == 200
        except (OSError, http.Closed):
            return False

    def pids(self):
        found = [self.process.pid]
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
                except OSError:
                    continue
                if int(stat[stat.rindex(")") + 2:].split()[1]) == self.process.pid:
                    found.append(int(entry))
        return found

    def empty_log(self):
        for name in ("access.log", "bulk.log"):
            if (self.folder / name).exists():
                os.truncate(self.folder / name, 0)

    def stop(self):
        self.process.terminate()
        self.process.wait()
