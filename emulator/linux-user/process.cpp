#include "emulator/linux-user/process.h"

#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <utility>

#include "base/raw_syscall.h"

namespace weft::user {

namespace {

Process::Limit host_limit(__rlimit_resource resource) {
    ::rlimit limit{};
    return ::getrlimit(resource, &limit) == 0 ? Process::Limit{limit.rlim_cur, limit.rlim_max}
                                              : Process::Limit{};
}

}  // namespace

Result<std::unique_ptr<Process>> Process::create(const ProcessOptions& options, const MemoryConfig& memory,
                                                 const HostMemory& host) {
    auto core = MemoryCore::create(memory, host, options.listener);
    if (!core) {
        return std::unexpected(core.error());
    }
    return std::unique_ptr<Process>(new Process(options, std::move(*core)));
}

// The guest begins with the limits that its parent gave, as with any execve; its host process is held by them as well.
Process::Process(const ProcessOptions& options, std::unique_ptr<MemoryCore> core)
    : options_(options),
      core_(std::move(core)),
      memory_(*core_),
      mapper_(*core_),
      advice_(*core_),
      shared_memory_(*core_),
      stack_(*core_),
      personality_(static_cast<uint32_t>(::personality(0xffffffff)) & ADDR_NO_RANDOMIZE),
      space_limit_(host_limit(RLIMIT_AS)),
      data_limit_(host_limit(RLIMIT_DATA)) {
    core_->set_limits({.space = space_limit_.soft, .data = data_limit_.soft});
}

void Process::loaded(Program program) {
    program_ = std::move(program);
    heap_.emplace(*core_, program_.break_start);
}

// In the order of docs/concurrency.md.
void Process::fork_prepare() {
    core_->fork_prepare();
    sighand_.mutex().lock();
    limits_mutex_.lock();
    if (options_.strace != nullptr) {
        options_.strace->fork_prepare();
    }
}

void Process::fork_parent() {
    if (options_.strace != nullptr) {
        options_.strace->fork_done();
    }
    limits_mutex_.unlock();
    sighand_.mutex().unlock();
    core_->fork_parent();
}

void Process::fork_child() {
    if (options_.strace != nullptr) {
        options_.strace->fork_done();
    }
    limits_mutex_.unlock();
    sighand_.mutex().unlock();
    core_->fork_child();
}

bool Process::begins_to_end() {
    const int64_t pid = raw_syscall(SYS_getpid);
    return ends_.exchange(pid, std::memory_order_relaxed) != pid;
}

bool Process::keeps_limit(unsigned resource) { return resource == RLIMIT_AS || resource == RLIMIT_DATA; }

Process::Limit& Process::kept(unsigned resource) {
    return resource == RLIMIT_AS ? space_limit_ : data_limit_;
}

Process::Limit Process::limit(unsigned resource) {
    MutexLock lock(limits_mutex_);
    return kept(resource);
}

int Process::set_limit(unsigned resource, const Limit& limit, bool privileged) {
    if (limit.soft > limit.hard) {
        return -EINVAL;
    }
    MutexLock lock(limits_mutex_);
    if (limit.hard > kept(resource).hard && !privileged) {
        return -EPERM;
    }
    kept(resource) = limit;
    core_->set_limits({.space = space_limit_.soft, .data = data_limit_.soft});
    return 0;
}

}  // namespace weft::user
