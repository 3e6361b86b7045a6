#include "tests/accel/toy_process.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "base/faulting_access.h"
#include "base/host_context.h"

namespace weft {
extern "C" const AccelDescriptor weft_accelerator;
}

namespace toy {

using namespace weft;

namespace {

// The vCPU that the thread is inside of, for the handler.
struct Entered {
    const ProcessOps* ops = nullptr;
    Vcpu* vcpu = nullptr;
};
thread_local Entered entered;

void must(bool condition) {
    if (!condition) {
        abort();
    }
}

uint8_t* host_page(unsigned page) { return reinterpret_cast<uint8_t*>(page_address(page)); }

}  // namespace

ToyProcess::ToyProcess(Properties properties, uint64_t base, uint32_t max_vcpus, const GuestArch& guest)
    : handlers_(std::make_unique<test::FaultHandlers>(&ToyProcess::handle)) {
    constexpr size_t kSize = kProcessPages * kToyPage;
    must(mmap(host_page(0), kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
              -1, 0) == host_page(0));
    for (std::atomic<CodePageKind>& kind : kinds_) {
        kind.store(CodePageKind::private_);
    }
    user_ = {
        .abi_version = kUserMemoryAbiVersion,
        .opaque = this,
        .base = base,
        .limit = kProcessStart + kSize - base,
        .bounds = false,
        .fetch =
            [](void* self, uint64_t page, CodePageInfo* info) {
                auto& process = *static_cast<ToyProcess*>(self);
                const unsigned number = process.page_of(page);
                *info = {number < kProcessPages ? process.kinds_[number].load() : CodePageKind::unmapped, 0,
                         process.of_file};
            },
        .protect = [](void* self, uint64_t page) { return static_cast<ToyProcess*>(self)->protect(page); },
        .fault = [](void* self, void*, uint64_t vaddr, Access access, uint32_t,
                    MemoryFault* kind) { return static_cast<ToyProcess*>(self)->fault(vaddr, access, kind); },
        .overlay = [](void* self, uint64_t start, uint8_t* bytes,
                      uint32_t size) { static_cast<ToyProcess*>(self)->overlay(start, bytes, size); }};
    host_.opaque = this;
    host_.warn = [](void*, const char*) {};
    host_.log_enabled = [](void*, unsigned) { return false; };
    host_.log_in_filter = [](void*, uint64_t, uint64_t) { return false; };
    host_.log = [](void*, const char*, size_t) {};
    host_.fatal = [](void*, const char*) { abort(); };
    const char* backend = std::getenv("WEFT_TEST_BACKEND");
    properties.try_emplace("backend", backend != nullptr ? backend : "interp");
    keep_translations(&properties);
    const std::vector<PropertyValue> values = property_values(properties);
    const AccelConfig config{&guest, nullptr, &host_, values.data(), max_vcpus, &user_};
    const ErrorSink sink{
        [](void* self, const char* message) { static_cast<ToyProcess*>(self)->error_ = message; }, this};
    instance_ = weft_accelerator.create(&config, &sink);
}

ToyProcess::~ToyProcess() {
    if (instance_ != nullptr) {
        weft_accelerator.ops->destroy(instance_);
    }
    MutexLock lock(mutex_);
    for (const Page& page : pages_) {
        if (page.other_view != nullptr) {
            munmap(page.other_view, kToyPage);
        }
    }
    munmap(host_page(0), kProcessPages * kToyPage);
}

const AccelOps& ToyProcess::accel() const { return *weft_accelerator.ops; }
const ProcessOps& ToyProcess::ops() const { return *weft_accelerator.ops->process(instance_); }

void ToyProcess::load(const Assembler& code, uint64_t at) {
    std::memcpy(reinterpret_cast<void*>(at), code.bytes().data(), code.bytes().size());
}

void ToyProcess::handle(int signal, siginfo_t* info, void* context) {
    HostContext host(context);
    const auto address = reinterpret_cast<uint64_t>(info->si_addr);
    if (info->si_code <= 0 ||
        !(redirect_faulting_access(host, address, static_cast<uint32_t>(signal)) ||
          (entered.vcpu != nullptr &&
           entered.ops->host_fault(entered.vcpu, context, address, static_cast<uint32_t>(signal))))) {
        ::signal(signal, SIG_DFL);
    }
}

bool ToyProcess::protect(uint64_t vaddr) {
    MutexLock lock(mutex_);
    Page& page = pages_[page_of(vaddr)];
    if (page.kind != CodePageKind::private_ || refuse_protection.load()) {
        return false;
    }
    if (!page.protected_) {
        must(mprotect(host_page(page_of(vaddr)), kToyPage, PROT_READ) == 0);
        page.protected_ = true;
        protects.fetch_add(1);
    }
    return true;
}

bool ToyProcess::fault(uint64_t vaddr, Access access, MemoryFault* kind) {
    MutexLock lock(mutex_);
    const unsigned number = page_of(vaddr);
    *kind = MemoryFault::unmapped;
    if (number >= kProcessPages || pages_[number].kind == CodePageKind::unmapped) {
        return false;
    }
    Page& page = pages_[number];
    if (access == Access::store && page.protected_) {
        const uint64_t start = guest(page_address(number));
        ops().code_written(instance_, start, start + kToyPage);
        must(mprotect(host_page(number), kToyPage, PROT_READ | PROT_WRITE) == 0);
        page.protected_ = false;
        announced.fetch_add(1);
        on_announced();
    }
    return true;
}

void ToyProcess::unmap(unsigned number) {
    const uint64_t start = guest(page_address(number));
    {
        MutexLock lock(mutex_);
        pages_[number].kind = CodePageKind::unmapped;
        pages_[number].protected_ = false;
        kinds_[number].store(CodePageKind::unmapped);
        must(mmap(host_page(number), kToyPage, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == host_page(number));
        ops().code_gone(instance_, start, start + kToyPage);
    }
    ops().code_settle(instance_);
}

void ToyProcess::map(unsigned number) {
    MutexLock lock(mutex_);
    must(mmap(host_page(number), kToyPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
              -1, 0) == host_page(number));
    pages_[number].kind = CodePageKind::private_;
    kinds_[number].store(CodePageKind::private_);
}

void ToyProcess::replace(unsigned number, const std::vector<uint8_t>& bytes) {
    const uint64_t start = guest(page_address(number));
    void* const fresh = mmap(nullptr, kToyPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(fresh != MAP_FAILED);
    std::memcpy(fresh, bytes.data(), bytes.size());
    {
        MutexLock lock(mutex_);
        must(mremap(fresh, kToyPage, kToyPage, MREMAP_MAYMOVE | MREMAP_FIXED, host_page(number)) ==
             host_page(number));
        pages_[number].kind = CodePageKind::private_;
        pages_[number].protected_ = false;
        kinds_[number].store(CodePageKind::private_);
        ops().code_gone(instance_, start, start + kToyPage);
    }
    ops().code_settle(instance_);
}

uint8_t* ToyProcess::share(unsigned number) {
    const int fd = memfd_create("shared", MFD_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, kToyPage) == 0);
    void* const view = mmap(nullptr, kToyPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MutexLock lock(mutex_);
    must(view != MAP_FAILED && mmap(host_page(number), kToyPage, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_FIXED, fd, 0) == host_page(number));
    close(fd);
    pages_[number].kind = CodePageKind::shared;
    pages_[number].other_view = static_cast<uint8_t*>(view);
    kinds_[number].store(CodePageKind::shared);
    return static_cast<uint8_t*>(view);
}

uint64_t ToyProcess::stat(const std::string& name) const {
    std::string text;
    const TextSink sink{[](void* opaque, const char* bytes, size_t size) {
                            static_cast<std::string*>(opaque)->append(bytes, size);
                        },
                        &text};
    must(accel().report(instance_, "stats", &sink));
    const size_t found = text.find("\"" + name + "\": ");
    must(found != std::string::npos);
    return std::strtoull(text.c_str() + found + name.size() + 4, nullptr, 10);
}

pid_t ToyProcess::fork(Thread& survivor) {
    ops().fork_begin(instance_);
    mutex_.lock();
    ops().fork_prepare(instance_);
    const pid_t child = ::fork();
    if (child != 0) {
        ops().fork_parent(instance_);
        mutex_.unlock();
        return child;
    }
    const ErrorSink sink{
        [](void* self, const char* message) { static_cast<ToyProcess*>(self)->error_ = message; }, this};
    must(ops().fork_child(instance_, survivor.vcpu_, &sink));
    mutex_.unlock();
    return child;
}

// ---- threads ----

ToyProcess::Thread::Thread(ToyProcess& process, uint64_t pc) : process_(process) {
    const ErrorSink sink{
        [](void* self, const char* message) { static_cast<ToyProcess*>(self)->error_ = message; }, &process};
    if (!process.ops().attach(process.instance(), &process.cpu_, &vcpu_, &state_, &sink)) {
        vcpu_ = nullptr;
        return;
    }
    set_pc(pc);
}

ToyProcess::Thread::~Thread() {
    if (vcpu_ != nullptr) {
        process_.ops().detach(process_.instance(), vcpu_);
    }
}

void ToyProcess::overlay_changed(unsigned page) {
    {
        weft::MutexLock lock(mutex_);
        const uint64_t start = guest(page_address(page));
        ops().code_gone(instance_, start, start + kToyPage);
    }
    ops().code_settle(instance_);
}

VcpuStop ToyProcess::Thread::run() {
    while (true) {
        entered = {&process_.ops(), vcpu_};
        const VcpuStop stop = process_.ops().enter(vcpu_);
        entered = {};
        if (stop != VcpuStop::asked || asked_.exchange(false)) {
            return stop;
        }
    }
}

VcpuStop ToyProcess::Thread::step() {
    entered = {&process_.ops(), vcpu_};
    const VcpuStop stop = process_.ops().step(vcpu_);
    entered = {};
    return stop;
}

void ToyProcess::Thread::ask() {
    asked_.store(true);
    state_header(state_).exit_request.store(1, std::memory_order_seq_cst);
}

}  // namespace toy
