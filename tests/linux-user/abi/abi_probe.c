/* The kernel's own sizes and offsets, as data of an object file that nobody links or runs. */
#include <stddef.h>
#include <stdint.h>

#include <asm/ipcbuf.h>
#include <asm/msgbuf.h>
#include <asm/poll.h>
#include <asm/sembuf.h>
#include <asm/shmbuf.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/ucontext.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/futex.h>
#include <linux/loop.h>
#include <linux/mqueue.h>
#include <linux/resource.h>
#include <linux/sem.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time_types.h>
#include <linux/times.h>
#include <linux/timex.h>
#include <linux/uio.h>
#include <linux/utsname.h>
#if __has_include(<asm/hwprobe.h>)
#include <asm/hwprobe.h>
#define WEFT_HWPROBE_PAIR struct riscv_hwprobe
#else
/* Linux 6.4 has it first; this is what Documentation/arch/riscv/hwprobe.rst says. */
struct weft_hwprobe_pair {
    int64_t key;
    uint64_t value;
};
#define WEFT_HWPROBE_PAIR struct weft_hwprobe_pair
#endif

/* Not in headers: signal(7), and what unwinders expect at the stack pointer. */
struct rt_sigframe {
    siginfo_t info;
    struct ucontext uc;
};

#define WEFT_SIZE(guest, kernel) sizeof(kernel),
#define WEFT_FIELD(guest, member, kernel, kernel_member) offsetof(kernel, kernel_member),
#define WEFT_VALUE(guest, kernel) kernel,

const uint64_t weft_probes[] __attribute__((section(".weft_probes"))) = {
#include "abi_probes.h"
};
