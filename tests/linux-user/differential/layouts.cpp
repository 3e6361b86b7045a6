#include "layouts.h"

#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/stat.h>

namespace differential {

namespace {

// The kernel's, not the C library's (asm/signal.h).
struct KernelAction {
    uint64_t handler, flags;
#ifdef __x86_64__
    uint64_t restorer;
#endif
    uint64_t mask;
};

using Stat = struct stat;

#define FIELD(type, name) {#name, offsetof(type, name), sizeof(type::name)}

constexpr Field kStat[] = {
    FIELD(Stat, st_mode), FIELD(Stat, st_nlink), FIELD(Stat, st_uid),     FIELD(Stat, st_gid),
    FIELD(Stat, st_rdev), FIELD(Stat, st_size),  FIELD(Stat, st_blksize), FIELD(Stat, st_blocks),
};
constexpr Field kSemid[] = {
    FIELD(semid_ds, sem_perm.uid),  FIELD(semid_ds, sem_perm.gid),  FIELD(semid_ds, sem_perm.cuid),
    FIELD(semid_ds, sem_perm.cgid), FIELD(semid_ds, sem_perm.mode), FIELD(semid_ds, sem_otime),
    FIELD(semid_ds, sem_nsems),
};
constexpr Field kAction[] = {FIELD(KernelAction, handler), FIELD(KernelAction, flags),
                             FIELD(KernelAction, mask)};
constexpr Field kEvent[] = {FIELD(epoll_event, events), FIELD(epoll_event, data)};
#undef FIELD

constexpr Layout kLayouts[] = {
    {"stat", sizeof(Stat), kStat},
    {"semid", sizeof(semid_ds), kSemid},
    {"action", sizeof(KernelAction), kAction},
    {"event", sizeof(epoll_event), kEvent},
};

}  // namespace

const Layout* find_layout(const std::string& kind) {
    for (const Layout& layout : kLayouts) {
        if (kind == layout.kind) {
            return &layout;
        }
    }
    return nullptr;
}

}  // namespace differential
