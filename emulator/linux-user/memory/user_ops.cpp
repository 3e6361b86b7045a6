#include "emulator/linux-user/memory/user_ops.h"

#include <fmt/format.h>

#include <chrono>
#include <system_error>
#include <utility>

#include "emulator/linux-user/memory/checked_code.h"

namespace weft::user {

namespace {

uint64_t steady_now() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
}

CodePageKind kind_of(const Interval* interval, IntervalTree checked, uint64_t page) {
    if (interval == nullptr || interval->attributes.kind == Kind::foreign) {
        return CodePageKind::unmapped;
    }
    const Attributes& attributes = interval->attributes;
    if ((attributes.protection & kExecute) == 0) {
        return CodePageKind::no_exec;
    }
    if (attributes.shared) {
        return CodePageKind::shared;
    }
    // The host protects no part of a huge page.
    const bool hot = attributes.huge_shift != 0 || checked.at(page) != nullptr;
    return hot ? CodePageKind::hot : CodePageKind::private_;
}

// Rules T4 and T5: W and X give R.
bool allows(const Attributes& attributes, Access access) {
    switch (access) {
        case Access::store:
            return (attributes.protection & kWrite) != 0;
        case Access::fetch:
            return (attributes.protection & kExecute) != 0;
        default:
            return attributes.protection != 0;
    }
}

}  // namespace

UserOps::UserOps(MemoryCore& core, Settings settings) : core_(core), settings_(std::move(settings)) {
    ops_ = {
        .abi_version = kUserMemoryAbiVersion,
        .opaque = this,
        .base = core.config().base,
        .limit = core.config().limit,
        .bounds = settings_.bounds,
        .fetch = [](void* self, uint64_t page,
                    CodePageInfo* info) { *info = static_cast<UserOps*>(self)->fetch(page); },
        .generation = &core.space().generation_word(),
        .protect = [](void* self, uint64_t page) { return static_cast<UserOps*>(self)->protect(page); },
        .fault =
            [](void* self, void* state, uint64_t vaddr, Access access, uint32_t host_code,
               MemoryFault* kind) {
                return static_cast<UserOps*>(self)->fault(state, vaddr, access, host_code, kind);
            },
    };
    if (settings_.overlay) {
        ops_.overlay = [](void* self, uint64_t start, uint8_t* bytes, uint32_t size) {
            static_cast<UserOps*>(self)->settings_.overlay(start, bytes, size);
        };
    }
}

CodePageInfo UserOps::fetch(uint64_t page) {
    AddressSpace& space = core_.space();
    // The generation before the version: a change in between makes the next answer another one.
    const uint64_t generation = space.generation();
    ReaderPool::Loan reader(space.readers());
    const AddressSpace::Reading reading(space, *reader);
    const Interval* const interval = reading.tree().at(page);
    return {kind_of(interval, reading.checked(), page), generation,
            interval != nullptr && interval->attributes.kind == Kind::file};
}

bool UserOps::protect(uint64_t page) {
    AddressSpace& space = core_.space();
    MutexLock lock(space.mutex());
    return kind_of(space.tree().at(page), space.checked(), page) == CodePageKind::private_ &&
           core_.protect_code(page);
}

bool UserOps::fault(const void* state, uint64_t vaddr, Access access, uint32_t host_code, MemoryFault* kind) {
    if (host_code == HostFaultCode::bus) {
        *kind = MemoryFault::bus;  // as it was when the access was made, whatever the map says by now
        return false;
    }
    AddressSpace& space = core_.space();
    MutexLock lock(space.mutex());
    const uint64_t page = round_down(vaddr, kGuestPage);
    if (space.tree().at(vaddr) == nullptr) {
        try {
            core_.learn_growth(page, page + kGuestPage);
        } catch (const std::bad_alloc&) {
            // Weft cannot note that the stack grew, so it did not.
        }
    }
    const Interval* interval = space.tree().at(vaddr);
    if (interval == nullptr || interval->attributes.kind == Kind::foreign) {
        *kind = MemoryFault::unmapped;
        return false;
    }
    if (!allows(interval->attributes, access)) {
        *kind = MemoryFault::protection;
        return false;
    }
    if (access == Access::store && core_.protected_pages().contains(core_.down(page))) {
        return written(core_.down(page), kind);
    }
    return try_again(state, vaddr, access, host_code, kind);
}

// The guest stores to a host page that is protected for code: the code ends, and the page may be written to.
bool UserOps::written(uint64_t page, MemoryFault* kind) {
    const uint64_t unit = core_.host_page();
    if (const SysResult failed = core_.unprotect_code(page, page + unit, MemoryCore::CodeEnd::written);
        failed < 0) {
        *kind = MemoryFault::bus;  // there, and the host cannot give it
        tell([&] {
            return fmt::format("guest memory: the host does not give the right to write at {:#x} back: {}",
                               page, std::generic_category().message(static_cast<int>(-failed)));
        });
        return false;
    }
    const uint64_t now = settings_.now ? settings_.now() : steady_now();
    if (write_faults_.count(page / unit, now)) {
        make_hot(core_, page);
    }
    return true;
}

// The map allows the access. It failed while another thread was between two steps, or the host refuses what it should allow.
bool UserOps::try_again(const void* state, uint64_t vaddr, Access access, uint32_t host_code,
                        MemoryFault* kind) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (host_code == HostFaultCode::no_fault) {
        return true;  // the map was asked, and says another thing by now
    }
    if (core_.steps() != retries_steps_) {
        retries_steps_ = core_.steps();
        retries_.clear();
    }
    Retry* mine = nullptr;
    for (Retry& retry : retries_) {
        mine = retry.state == state ? &retry : mine;
    }
    if (mine == nullptr) {
        try {
            mine = &retries_.emplace_back(Retry{.state = state, .vaddr = vaddr, .count = 0});
        } catch (const std::bad_alloc&) {
            return true;  // not counted
        }
    }
    if (mine->vaddr != vaddr) {
        *mine = {.state = state, .vaddr = vaddr, .count = 0};
    }
    if (++mine->count < kMostTries) {
        if (host_code == HostFaultCode::segv_accerr) {
            // Where the host would not give W back, or a stack grew below a page that is protected.
            const uint64_t page = core_.down(vaddr);
            core_.protect_pages(page, page + core_.host_page(),
                                core_.page_protection(core_.space().tree(), page));
        }
        return true;
    }
    mine->count = 0;
    if (host_code == HostFaultCode::segv_maperr) {
        // The guest's own guard pages (MADV_GUARD_INSTALL) are in the map as what they are in.
        *kind = MemoryFault::unmapped;
        return false;
    }
    // No SIGSEGV: the guest would look for the reason in its own map.
    *kind = MemoryFault::bus;
    tell([&] {
        return fmt::format("guest memory: the host refuses a {} at {:#x}, which the map allows",
                           access == Access::store ? "store" : "load", vaddr);
    });
    return false;
}

template <class Message>
void UserOps::tell(Message message) const {
    if (settings_.errors == nullptr) {
        return;
    }
    try {
        settings_.errors->report(settings_.errors->opaque, message().c_str());
    } catch (const std::bad_alloc&) {
        settings_.errors->report(settings_.errors->opaque,
                                 "guest memory: the host refuses an access that the map allows");
    }
}

}  // namespace weft::user
