// An exclusive section, which asks a running vCPU to leave (the thread's mutex within the gate's), and afterwards a pause.
// A thread that takes the gate's mutex under its own could meet the other order in a deadlock, though it does not here.
#include <semaphore>

#include "tests/accel/toy_machine.h"

int main() {
    using namespace toy;
    Machine machine(2);
    Assembler code(0x1000);
    code.li(13, static_cast<int64_t>(kDevice));
    code.op(Opcode::st, 14, 13);
    const uint64_t loop = code.pc();
    code.addi(1, 1);
    code.jmp(loop);
    machine.load(code);
    machine.add(0x1000);
    machine.add(0x1000);
    machine.resume();
    machine.wait_for(2);
    std::binary_semaphore done(0);
    machine.ops().vcpu_run(
        machine.instance(), machine.vcpu(0), weft::VcpuWork::exclusive,
        [](void* opaque, void*) { static_cast<std::binary_semaphore*>(opaque)->release(); }, &done);
    done.acquire();
    machine.pause();
    return 0;
}
