// vcd-dance does with VMware's own Go SDK what a user of Cloud Director does: it signs in, uploads an OVF to a catalog,
// instantiates the template, powers the vApp on and off and deletes both. Settings come from the environment; each step
// prints a line; any failure ends it with exit code 1.
package main

import (
	"fmt"
	"log"
	"net/url"
	"os"

	"github.com/vmware/go-vcloud-director/v2/govcd"
	"github.com/vmware/go-vcloud-director/v2/types/v56"
)

func main() {
	log.SetFlags(0)
	endpoint, err := url.Parse(setting("VCD_URL") + "/api")
	check("parse VCD_URL", err)
	client := govcd.NewVCDClient(*endpoint, true)
	orgName, catalogName := setting("VCD_ORG"), setting("VCD_CATALOG")
	check("login", client.Authenticate(setting("VCD_USER"), setting("VCD_PASSWORD"), orgName))
	org, err := client.GetOrgByName(orgName)
	check("find org", err)
	vdc, err := org.GetVDCByName(setting("VCD_VDC"), false)
	check("find vdc", err)
	catalog, err := org.GetCatalogByName(catalogName, false)
	check("find catalog", err)

	name := setting("VCD_NAME")
	upload, err := catalog.UploadOvf(setting("VCD_OVF"), name, "uploaded by the SDK", 1024*1024)
	check("begin upload", err)
	check("upload", upload.WaitTaskCompletion())
	check("upload without a late error", upload.GetUploadError())

	catalog, err = org.GetCatalogByName(catalogName, true)
	check("read catalog again", err)
	template, err := catalog.GetVAppTemplateByName(name)
	check("find template", err)

	vapp, err := vdc.CreateVappFromTemplate(&types.InstantiateVAppTemplateParams{
		Name:             name,
		Source:           &types.Reference{HREF: template.VAppTemplate.HREF},
		AllEULAsAccepted: true,
	})
	check("instantiate", err)
	check("leave UNRESOLVED", vapp.BlockWhileStatus("UNRESOLVED", 60))
	check("read vdc again", vdc.Refresh())
	vapp, err = vdc.GetVAppByName(name, true)
	check("find vApp", err)
	if vapp.VApp.Children == nil || len(vapp.VApp.Children.VM) == 0 {
		log.Fatal("the vApp has no machine")
	}
	for _, machine := range vapp.VApp.Children.VM {
		for _, disk := range machine.VmSpecSection.DiskSection.DiskSettings {
			fmt.Printf("disk %s %s %d MB\n", machine.Name, disk.DiskId, disk.SizeMb)
		}
	}

	on, err := vapp.PowerOn()
	check("begin power on", err)
	check("power on", on.WaitTaskCompletion())
	expectStatus(vapp, "POWERED_ON")
	off, err := vapp.Undeploy()
	check("begin undeploy", err)
	check("undeploy", off.WaitTaskCompletion())
	expectStatus(vapp, "POWERED_OFF")
	gone, err := vapp.Delete()
	check("begin to delete vApp", err)
	check("delete vApp", gone.WaitTaskCompletion())
	item, err := catalog.GetCatalogItemByName(name, true)
	check("find item", err)
	check("delete item", item.Delete())
	check("logout", client.Disconnect())
	fmt.Println("done")
}

func expectStatus(vapp *govcd.VApp, wanted string) {
	status, err := vapp.GetStatus()
	check("read status", err)
	if status != wanted {
		log.Fatalf("the vApp is %s instead of %s", status, wanted)
	}
	fmt.Println("status", status)
}

func setting(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatalf("%s is not set", name)
	}
	return value
}

func check(step string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", step, err)
	}
	fmt.Println(step)
}
