"""Downloads a vApp or a template as an OVA with VMware's pyvcloud and gives back the space in the transfer storage.

Settings come from the environment: VCD_URL, VCD_USER, VCD_PASSWORD, VCD_ORG, the target VCD_OVA, and VCD_VDC with
VCD_NAME for a vApp or VCD_CATALOG with VCD_NAME for a template.
"""

import os
import warnings

from pyvcloud.vcd.client import BasicLoginCredentials, Client, RelationType
from pyvcloud.vcd.org import Org
from pyvcloud.vcd.vapp import VApp
from pyvcloud.vcd.vdc import VDC


def download_template(client, org, catalog, name, target):
    org.download_catalog_item(catalog, name, target)
    item = org.get_catalog_item(catalog, name)
    template = client.get_resource(item.Entity.get("href"))
    client.post_linked_resource(template, RelationType.DISABLE, None, None)


def download_vapp(client, org, vdc, name, target):
    vapp = VApp(client, resource=VDC(client, resource=org.get_vdc(vdc)).get_vapp(name))
    vapp.download_ova(target)
    vapp.resource = None
    vapp.disable_download()


def main():
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    client = Client(os.environ["VCD_URL"], verify_ssl_certs=False)
    client.set_credentials(
        BasicLoginCredentials(os.environ["VCD_USER"], os.environ["VCD_ORG"], os.environ["VCD_PASSWORD"])
    )
    try:
        org = Org(client, resource=client.get_org())
        name, target = os.environ["VCD_NAME"], os.environ["VCD_OVA"]
        if "VCD_CATALOG" in os.environ:
            download_template(client, org, os.environ["VCD_CATALOG"], name, target)
        else:
            download_vapp(client, org, os.environ["VCD_VDC"], name, target)
    finally:
        client.logout()


main()
