module cloudspan.invalid/witnesses

go 1.24.13

require (
	github.com/vmware/go-vcloud-director/v2 v2.26.1
	github.com/vmware/govmomi v0.53.0
)

require (
	github.com/araddon/dateparse v0.0.0-20190622164848-0fb0a474d195 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/hashicorp/go-version v1.2.0 // indirect
	github.com/kr/pretty v0.3.1 // indirect
	github.com/kr/text v0.2.0 // indirect
	github.com/peterhellberg/link v1.1.0 // indirect
	github.com/rogpeppe/go-internal v1.9.0 // indirect
	golang.org/x/exp v0.0.0-20240119083558-1b970713d09a // indirect
	golang.org/x/text v0.34.0 // indirect
	sigs.k8s.io/yaml v1.4.0 // indirect
)
