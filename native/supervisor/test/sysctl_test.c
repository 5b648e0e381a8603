/* Kernel parameters: only those of namespaces that are the pod's own, in one spelling. Nothing is written here. */
#include <string.h>

#include "pod/sysctl.h"
#include "test/tap.h"

static bool allowed(const char *setting, bool network, bool ipc) {
    struct own_namespaces own = {.network = network, .ipc = ipc};
    struct wire_bytes bytes = {(const uint8_t *)setting, (uint32_t)strlen(setting)};
    struct error err = {0};
    return sysctl_check(&bytes, &own, &err) == 0;
}

int main(void) {
    ok(allowed("net.ipv4.ip_local_port_range=1024 65000", true, false), "net.* with a network namespace of its own");
    ok(allowed("kernel.shm_rmid_forced=1", false, true) && allowed("kernel.msgmax=65536", false, true) &&
           allowed("kernel.sem=250 32000 32 128", false, true) && allowed("fs.mqueue.msg_max=100", false, true),
       "the parameters of an IPC namespace of its own");
    ok(!allowed("net.ipv4.ip_forward=1", false, true), "CVE-2022-0532: net.* on the host's network is refused");
    ok(!allowed("kernel.msgmax=1", true, false), "CVE-2022-0532: kernel.msg* in the host's IPC namespace is refused");
    ok(!allowed("net/ipv4/ip_forward=1", true, true) && !allowed("net.ipv4/../../kernel.core_pattern=x", true, true) &&
           !allowed("net...kernel.core_pattern=x", true, true),
       "other spellings are refused");
    ok(allowed("net.ipv4.conf.eth0/100.rp_filter=2", true, true), "a name with a dot in it, as sysctl(8) writes it");
    ok(!allowed("net.ipv4.//.x=1", true, true) && !allowed("net./.x=1", true, true) &&
           !allowed("net.a/=1", true, true) && !allowed("net.a/.x=1", true, true) && !allowed(".net.x=1", true, true) &&
           !allowed("net.x.=1", true, true),
       "which is no way to write . or ..");
    ok(!allowed("kernel.core_pattern=|/x", true, true) && !allowed("vm.swappiness=1", true, true) &&
           !allowed("kernel.semaphore=1", true, true),
       "parameters of no namespace are refused");
    ok(!allowed("kernel.shm_rmid_forced=1\nkernel.core_pattern=|/x", true, true) && !allowed("net.x=1\t2", true, true),
       "CVE-2022-0811: a control character in the value is refused");
    ok(!allowed("net.x", true, true) && !allowed("=1", true, true) && !allowed("", true, true), "no key or no value");
    struct wire_bytes nul = {(const uint8_t *)"net.x=1\0y", 9};
    struct own_namespaces own = {true, true};
    struct error err;
    ok(sysctl_check(&nul, &own, &err) < 0, "CVE-2022-0811: a NUL in the value is refused");
    return done();
}
