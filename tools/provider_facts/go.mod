module provider_facts

go 1.21
