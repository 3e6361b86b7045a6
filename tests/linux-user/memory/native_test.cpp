// The same calls to the mapper and to the host's own kernel: the same results, errors and bytes. What the host's kernel is the oracle
// of ([n] in docs/user-memory.md) is in this table.
#include <sys/shm.h>
#include <sys/syscall.h>

#include <functional>

#include "base/raw_syscall.h"
#include "emulator/linux-user/memory/advice.h"
#include "emulator/linux-user/memory/shm.h"
#include "tests/linux-user/memory/guest_space.h"

using namespace weft;
using namespace weft::test;

namespace {

// The calls, with addresses relative to an arena of 4096 pages.
class Calls {
  public:
    virtual ~Calls() = default;
    virtual SysResult map(uint64_t a, uint64_t n, int p, int f, int fd, uint64_t o) = 0;
    virtual SysResult unmap(uint64_t a, uint64_t n) = 0;
    virtual SysResult protect(uint64_t a, uint64_t n, int p) = 0;
    virtual SysResult remap(uint64_t a, uint64_t n, uint64_t m, int f, uint64_t to) = 0;
    virtual SysResult remap_file(uint64_t a, uint64_t n, uint64_t p, uint64_t page, int f) = 0;
    virtual SysResult advise(uint64_t a, uint64_t n, int advice) = 0;
    virtual SysResult sync(uint64_t a, uint64_t n, int f) = 0;
    virtual SysResult resident(uint64_t a, uint64_t n) = 0;
    virtual SysResult lock(uint64_t a, uint64_t n, unsigned f) = 0;
    virtual SysResult unlock(uint64_t a, uint64_t n) = 0;
    virtual SysResult seal(uint64_t a, uint64_t n, uint64_t f) = 0;
    virtual SysResult attach(int id, uint64_t a, int f) = 0;
    virtual SysResult detach(uint64_t a) = 0;
    virtual uint8_t* at(uint64_t a) = 0;

    SysResult fix(uint64_t page, uint64_t count, int p = PROT_READ | PROT_WRITE, int f = MAP_PRIVATE) {
        return map(pages(page), pages(count), p, f | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    // The first byte of a page as the kernel sees it; -EFAULT.
    SysResult peek(uint64_t page) {
        uint8_t byte = 0;
        const int64_t got = HostMemory::real().copy(reinterpret_cast<uintptr_t>(&byte),
                                                    reinterpret_cast<uintptr_t>(at(pages(page))), 1);
        return got == 1 ? byte : got;
    }
    void poke(uint64_t page, uint8_t byte) { *at(pages(page)) = byte; }
};

constexpr uint64_t kNativeArena = uint64_t{1} << 45;

class NativeCalls : public Calls {
  public:
    ~NativeCalls() override { host_.unmap(kNativeArena, pages(4096)); }
    SysResult map(uint64_t a, uint64_t n, int p, int f, int fd, uint64_t o) override {
        return back(host_.map(to(a), n, p, f, fd, o));
    }
    SysResult unmap(uint64_t a, uint64_t n) override { return host_.unmap(to(a), n); }
    SysResult protect(uint64_t a, uint64_t n, int p) override { return host_.protect(to(a), n, p); }
    SysResult remap(uint64_t a, uint64_t n, uint64_t m, int f, uint64_t t) override {
        return back(host_.remap(to(a), n, m, f, to(t)));
    }
    SysResult remap_file(uint64_t a, uint64_t n, uint64_t p, uint64_t page, int f) override {
        return raw_syscall(SYS_remap_file_pages, to(a), n, p, page, f);
    }
    SysResult advise(uint64_t a, uint64_t n, int advice) override { return host_.advise(to(a), n, advice); }
    SysResult sync(uint64_t a, uint64_t n, int f) override { return host_.sync(to(a), n, f); }
    SysResult resident(uint64_t a, uint64_t n) override {
        unsigned char vector[64];
        return host_.resident(to(a), n, vector);
    }
    SysResult lock(uint64_t a, uint64_t n, unsigned f) override { return host_.lock(to(a), n, f); }
    SysResult unlock(uint64_t a, uint64_t n) override { return host_.unlock(to(a), n); }
    // A seal of the host's would outlive the test.
    SysResult seal(uint64_t, uint64_t, uint64_t) override { return 0; }
    SysResult attach(int id, uint64_t a, int f) override { return back(host_.attach(id, to(a), f)); }
    SysResult detach(uint64_t a) override { return ::syscall(SYS_shmdt, to(a)) == 0 ? 0 : -errno; }
    uint8_t* at(uint64_t a) override { return reinterpret_cast<uint8_t*>(to(a)); }

  private:
    // Small numbers are of the arena; wild ones stay.
    static uint64_t to(uint64_t a) { return a < pages(4096) ? kNativeArena + a : a; }
    static SysResult back(int64_t r) {
        const auto address = static_cast<uint64_t>(r);
        return r < 0 ? r
               : address >= kNativeArena && address < kNativeArena + pages(4096)
                   ? static_cast<SysResult>(address - kNativeArena)
                   : 1;  // somewhere else
    }
    const HostMemory& host_ = HostMemory::real();
};

class GuestCalls : public Calls {
  public:
    SysResult map(uint64_t a, uint64_t n, int p, int f, int fd, uint64_t o) override {
        return back(space_.mapper->map(to(a), n, p, f, fd, o));
    }
    SysResult unmap(uint64_t a, uint64_t n) override { return space_.mapper->unmap(to(a), n); }
    SysResult protect(uint64_t a, uint64_t n, int p) override { return space_.mapper->protect(to(a), n, p); }
    SysResult remap(uint64_t a, uint64_t n, uint64_t m, int f, uint64_t t) override {
        return back(space_.mapper->remap(to(a), n, m, f, to(t)));
    }
    SysResult remap_file(uint64_t a, uint64_t n, uint64_t p, uint64_t page, int f) override {
        return space_.mapper->remap_file_pages(to(a), n, p, page, static_cast<uint64_t>(f));
    }
    SysResult advise(uint64_t a, uint64_t n, int advice) override { return advice_.advise(to(a), n, advice); }
    SysResult sync(uint64_t a, uint64_t n, int f) override { return advice_.sync(to(a), n, f); }
    SysResult resident(uint64_t a, uint64_t n) override {
        unsigned char vector[64];
        // As many pages as there are before a hole, where the call goes on and finds none.
        const SysResult count = advice_.resident(to(a), n, vector);
        const uint64_t wanted = round_up(n, kGuestPage) / kGuestPage;
        return count < 0 ? count : static_cast<uint64_t>(count) == wanted ? 0 : -ENOMEM;
    }
    SysResult lock(uint64_t a, uint64_t n, unsigned f) override { return advice_.lock(to(a), n, f); }
    SysResult unlock(uint64_t a, uint64_t n) override { return advice_.unlock(to(a), n); }
    SysResult seal(uint64_t a, uint64_t n, uint64_t f) override { return advice_.seal(to(a), n, f); }
    SysResult attach(int id, uint64_t a, int f) override { return back(shm_.attach(id, to(a), f)); }
    SysResult detach(uint64_t a) override { return shm_.detach(to(a)); }
    uint8_t* at(uint64_t a) override { return space_.at(to(a)); }

  private:
    static uint64_t to(uint64_t a) { return a < pages(4096) ? kArena + a : a; }
    static SysResult back(SysResult r) {
        const auto address = static_cast<uint64_t>(r);
        return r < 0 ? r
               : address >= kArena && address < kArena + pages(4096)
                   ? static_cast<SysResult>(address - kArena)
                   : 1;
    }
    GuestSpace space_;
    Advice advice_{*space_.core};
    SharedMemory shm_{*space_.core};
};

struct Files {
    UniqueFd both = numbered_file(4, 1, 100);
    UniqueFd reading = reopened(both, O_RDONLY);
    UniqueFd writing = reopened(both, O_WRONLY);
    UniqueFd path = reopened(both, O_PATH);
    UniqueFd directory{::open("/", O_RDONLY | O_DIRECTORY)};
    int segment = ::shmget(IPC_PRIVATE, 3 * 4096 + 100, IPC_CREAT | 0600);
    Files() {
        // Gone with its last attachment; one keeps it for the test.
        keep = ::shmat(segment, nullptr, 0);
        ::shmctl(segment, IPC_RMID, nullptr);
    }
    ~Files() { ::shmdt(keep); }
    void* keep = nullptr;
};

using Results = std::vector<SysResult>;

// Runs the same steps on both and compares them one by one.
void compare(const std::function<Results(Calls&, Files&)>& steps) {
    Files native_files, guest_files;
    NativeCalls native;
    GuestCalls guest;
    const Results expected = steps(native, native_files);
    const Results found = steps(guest, guest_files);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); i++) {
        INFO("step " << i);
        CHECK(found[i] == expected[i]);
    }
}

constexpr int kRW = PROT_READ | PROT_WRITE;
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr uint64_t kWild = ~uint64_t{0} - 4095;

}  // namespace

TEST_CASE("mmap's errors", "[user][M1][M2][M3][M4][M6][M8][M9][T4]") {
    compare([](Calls& c, Files& f) -> Results {
        return {
            c.map(0, 4096, kRW, kAnonymous | MAP_FIXED, -1, 1),
            c.map(0, 4096, kRW, kAnonymous | MAP_FIXED, 12345, 4096),
            c.map(0, 4096, kRW, MAP_PRIVATE | MAP_FIXED, -1, 0),
            c.map(0, 4096, kRW, MAP_PRIVATE | MAP_FIXED, f.path.get(), 0),
            c.map(0, 0, kRW, kAnonymous | MAP_FIXED, -1, 0),
            c.map(0, ~uint64_t{0}, kRW, kAnonymous, -1, 0),
            c.map(0, uint64_t{1} << 62, kRW, kAnonymous, -1, 0),
            c.map(0, 8192, PROT_READ, MAP_PRIVATE, f.both.get(), (uint64_t{1} << 63) - 4096),
            c.map(0, 4096, 0xff00 | PROT_READ, kAnonymous | MAP_FIXED, -1, 0),
            c.map(0, 4096, kRW, MAP_ANONYMOUS | MAP_FIXED, -1, 0),
            c.map(0, 4096, kRW, MAP_ANONYMOUS | MAP_FIXED | 7, -1, 0),
            c.map(0, 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x8000000, f.both.get(), 0),
            c.map(0, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0),
            c.map(0, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, f.both.get(), 0),
            c.map(1, 4096, kRW, kAnonymous | MAP_FIXED, -1, 0),
            c.map(kWild, 4096, kRW, kAnonymous | MAP_FIXED, -1, 0),
            c.map(pages(7), 4096, kRW, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0),
            c.map(pages(7), 4096, kRW, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0),
            c.map(pages(6), 8192, kRW, kAnonymous | MAP_FIXED | MAP_FIXED_NOREPLACE, -1, 0),
            c.map(pages(7) + 1, 4096, kRW, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0),
            c.map(pages(9) + 100, 4096, kRW, kAnonymous, -1, 0),
            c.map(0, 4096, kRW, MAP_SHARED, f.reading.get(), 0),
            c.map(0, 4096, PROT_READ, MAP_PRIVATE, f.writing.get(), 0),
            c.map(0, 4096, PROT_READ, MAP_PRIVATE, f.directory.get(), 0),
            c.map(0, 4096, kRW, MAP_PRIVATE | MAP_GROWSDOWN, f.both.get(), 0),
            c.map(0, 4096, kRW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0),
            c.map(pages(20), 4096, PROT_WRITE, kAnonymous | MAP_FIXED, -1, 0),
            *c.at(pages(20)),
        };
    });
}

TEST_CASE("pages behind a file's end", "[user][E1][E2]") {
    compare([](Calls& c, Files& f) -> Results {
        Results r{c.map(0, pages(8), kRW, MAP_PRIVATE | MAP_FIXED, f.both.get(), 0), c.peek(3), c.peek(4),
                  c.peek(5), *c.at(pages(4) + 200)};
        *c.at(pages(4) + 200) = 9;
        r.push_back(*c.at(pages(4) + 200));
        REQUIRE(::ftruncate(f.both.get(), static_cast<off_t>(pages(6))) == 0);
        r.push_back(c.peek(5));
        REQUIRE(::ftruncate(f.both.get(), static_cast<off_t>(pages(2))) == 0);
        r.push_back(c.peek(3));
        r.push_back(c.map(pages(16), 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, f.both.get(), pages(99)));
        r.push_back(c.peek(16));
        return r;
    });
}

TEST_CASE("munmap", "[user][U1]") {
    compare([](Calls& c, Files&) -> Results {
        return {c.fix(0, 4),
                c.unmap(1, 4096),
                c.unmap(0, 0),
                c.unmap(kWild, 8192),
                c.unmap(0, ~uint64_t{0}),
                c.unmap(pages(2), 100),
                c.peek(1),
                c.peek(2),
                c.peek(3),
                c.unmap(pages(100), pages(50)),
                c.unmap(0, pages(8))};
    });
}

TEST_CASE("mprotect", "[user][P1][P2][P3][P4][P5][P6]") {
    compare([](Calls& c, Files& f) -> Results {
        return {
            c.fix(0, 8),
            c.unmap(pages(4), 4096),
            c.protect(1, 4096, PROT_READ),
            c.protect(1, 0, PROT_READ),
            c.protect(0, 0, 0x100),
            c.protect(0, 4096, 0x100),
            c.protect(0, 4096, PROT_READ | 8),
            c.protect(0, 4096, PROT_READ | PROT_GROWSDOWN),
            c.protect(0, 4096, PROT_READ | PROT_GROWSUP),
            c.protect(0, 4096, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP),
            c.protect(0, ~uint64_t{0}, PROT_READ),
            c.protect(kWild, 8192, PROT_READ),
            c.protect(pages(2), pages(5), PROT_NONE),
            c.peek(2),
            c.peek(3),
            c.peek(5),
            c.protect(pages(64), 4096, PROT_READ),
            c.map(pages(16), pages(2), PROT_READ, MAP_SHARED | MAP_FIXED, f.reading.get(), 0),
            c.fix(15, 1),
            c.protect(pages(15), pages(2), kRW),
            c.map(pages(32), pages(4), kRW, kAnonymous | MAP_FIXED | MAP_GROWSDOWN, -1, 0),
            c.protect(pages(34), 4096, PROT_READ | PROT_GROWSDOWN),
        };
    });
}

TEST_CASE("mremap", "[user][R1][R2][R3][R4][R5][R6][R7][R11]") {
    constexpr int kMove = MREMAP_MAYMOVE, kFixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    constexpr int kKeep = MREMAP_MAYMOVE | 4;
    compare([](Calls& c, Files&) -> Results {
        return {
            c.fix(0, 4),
            c.remap(0, 4096, 4096, 64, 0),
            c.remap(1, 4096, 4096, 0, 0),
            c.remap(0, 4096, 0, 0, 0),
            c.remap(0, 4096, 4096, MREMAP_FIXED, pages(9)),
            c.remap(0, 4096, 4096, kFixed, pages(9) + 1),
            c.remap(0, 4096, 8192, kKeep, 0),
            c.remap(0, 4096, 4096, kFixed, kWild),
            c.remap(0, 8192, 8192, kFixed, 4096),
            c.remap(pages(50), 4096, 8192, kMove, 0),
            c.remap(pages(50), 4096, 4096, 0, 0),
            c.remap(0, pages(5), pages(6), kMove, 0),
            c.remap(0, pages(4), pages(4), 0, 0),
            c.remap(0, pages(8), pages(4), 0, 0),
            c.remap(0, 0, 4096, kMove, 0),
            c.remap(0, 4096, uint64_t{1} << 62, kMove, 0),
            c.fix(4, 1, PROT_READ),
            c.remap(0, pages(4), pages(8), 0, 0),
            c.remap(pages(4), pages(1), pages(3), 0, 0),
            c.remap(0, pages(8), pages(2), 0, 0),
            c.peek(2),
        };
    });
    compare([](Calls& c, Files&) -> Results {
        Results r{c.fix(0, 4), c.fix(16, 8)};
        c.poke(0, 5);
        c.poke(3, 6);
        r.push_back(c.remap(0, pages(4), pages(2), kFixed, pages(16)));
        for (const uint64_t page : {0, 2, 16, 17, 18, 20}) {
            r.push_back(c.peek(page));
        }
        r.push_back(c.protect(pages(17), 4096, PROT_READ));
        r.push_back(c.remap(pages(16), pages(2), pages(2), kFixed, pages(32)));
        r.push_back(c.peek(32));
        r.push_back(c.remap(pages(32), pages(2), pages(3), kFixed, pages(40)));
        r.push_back(c.fix(64, 2));
        c.poke(64, 7);
        r.push_back(c.remap(pages(64), pages(2), pages(2), kKeep | MREMAP_FIXED, pages(70)));
        r.push_back(c.peek(64));
        r.push_back(c.peek(70));
        r.push_back(c.fix(80, 2, kRW, MAP_SHARED));
        c.poke(80, 8);
        r.push_back(c.remap(pages(80), 0, pages(2), 0, 0));
        r.push_back(c.remap(pages(80), 0, pages(2), kFixed, pages(90)));
        c.poke(90, 9);
        r.push_back(c.peek(80));
        return r;
    });
}

TEST_CASE("remap_file_pages", "[user][R14]") {
    compare([](Calls& c, Files&) -> Results {
        Results r{c.fix(0, 8, kRW, MAP_SHARED), c.fix(8, 1), c.fix(16, 2, kRW, MAP_SHARED)};
        for (uint64_t page = 0; page < 8; ++page) {
            c.poke(page, static_cast<uint8_t>(page + 1));
        }
        r.push_back(c.remap_file(0, pages(2), 0, 4, 0));
        for (uint64_t page = 0; page < 8; ++page) {
            r.push_back(c.peek(page));
        }
        c.poke(1, 99);
        r.push_back(c.peek(5));
        for (const SysResult result : {
                 c.remap_file(0, pages(2), PROT_READ, 0, 0),
                 c.remap_file(pages(1) + 7, pages(1) + 9, 0, 7, MAP_NONBLOCK),
                 c.remap_file(pages(2), 4095, 0, 0, 0),
                 c.remap_file(pages(2), 0, 0, 0, 0),
                 c.remap_file(pages(2), pages(1), 0, ~uint64_t{0}, 0),
                 c.remap_file(pages(2), pages(1), 0, uint64_t{1} << 52, 0),
                 c.remap_file(pages(7), pages(2), 0, 0, 0),
                 c.remap_file(pages(8), pages(1), 0, 0, 0),
                 c.remap_file(pages(17), pages(2), 0, 0, 0),
                 c.remap_file(pages(40), pages(1), 0, 0, 0),
                 c.protect(pages(3), 4096, PROT_READ),
                 c.remap_file(pages(2), pages(2), 0, 0, 0),
                 c.remap_file(pages(3), pages(1), 0, 2, 0),
                 // As they were: one mapping that goes on.
                 c.remap_file(0, pages(2), 0, 0, 0),
             }) {
            r.push_back(result);
        }
        for (uint64_t page = 0; page < 8; ++page) {
            r.push_back(c.peek(page));
        }
        r.push_back(c.remap(0, pages(2), pages(2), MREMAP_MAYMOVE | MREMAP_FIXED, pages(30)));
        r.push_back(c.peek(30));
        return r;
    });
}

TEST_CASE("madvise", "[user][D1][D2][D3][D4][D5]") {
    compare([](Calls& c, Files& f) -> Results {
        Results r{c.fix(0, 4), c.fix(4, 1, kRW, MAP_SHARED),
                  c.map(pages(5), 4096, kRW, MAP_PRIVATE | MAP_FIXED, f.both.get(), 0)};
        for (const uint64_t page : {0, 3, 4, 5}) {
            c.poke(page, 9);
        }
        r.push_back(c.unmap(pages(1), 4096));
        for (const int advice : {0, 1, 2, 3, 5, 7, 18, 19, 10, 11, 16, 17, 99}) {
            r.push_back(c.advise(0, 4096, advice));
            r.push_back(c.advise(1, 4096, advice));
            r.push_back(c.advise(0, 0, advice));
            r.push_back(c.advise(0, pages(3), advice));
            r.push_back(c.advise(0, ~uint64_t{0}, advice));
        }
        r.push_back(c.advise(0, pages(6), MADV_DONTNEED));
        for (const uint64_t page : {0, 3, 4, 5}) {
            r.push_back(c.peek(page));
        }
        r.push_back(c.advise(pages(4), 4096, 8));
        r.push_back(c.advise(pages(4), 4096, 18));
        r.push_back(c.advise(pages(5), 4096, 8));
        r.push_back(c.advise(0, 4096, 9));
        r.push_back(c.advise(pages(5), 4096, 9));
        r.push_back(c.advise(pages(4), 4096, 9));
        r.push_back(c.advise(0, 4096, 102));
        r.push_back(c.peek(0));
        r.push_back(c.advise(0, 4096, 103));
        r.push_back(c.peek(0));
        return r;
    });
}

TEST_CASE("msync, mincore and mlock", "[user][W1][W2][W3]") {
    compare([](Calls& c, Files&) -> Results {
        return {c.fix(0, 3),
                c.unmap(pages(1), 4096),
                c.sync(1, 4096, MS_SYNC),
                c.sync(0, 4096, MS_SYNC | MS_ASYNC),
                c.sync(0, 4096, 64),
                c.sync(0, pages(3), MS_SYNC),
                c.sync(0, ~uint64_t{0}, MS_SYNC),
                c.sync(0, 4096, 0),
                c.resident(1, 4096),
                c.resident(0, 4096),
                c.resident(0, pages(3)),
                c.resident(0, 0),
                c.resident(pages(9), 4096),
                c.lock(100, 100, 0),
                c.lock(0, 4096, 6),
                c.lock(0, pages(3), 0),
                c.lock(0, ~uint64_t{0}, 0),
                c.unlock(0, pages(3)),
                c.unlock(50, 10),
                c.lock(pages(9), 4096, 0)};
    });
}

TEST_CASE("System V shared memory", "[user][K1][K2][K3][K4]") {
    compare([](Calls& c, Files& f) -> Results {
        Results r{c.attach(f.segment, pages(8) + 1, 0), c.attach(f.segment, pages(8) + 1, SHM_RND)};
        c.poke(8, 3);
        *c.at(pages(8) + 3 * 4096 + 200) = 4;
        for (const SysResult result : {c.peek(11),
                                       c.peek(12),
                                       c.attach(f.segment, pages(9), 0),
                                       c.attach(f.segment, pages(9), SHM_REMAP),
                                       c.attach(-1, pages(20), 0),
                                       c.attach(99999999, pages(20), 0),
                                       c.detach(pages(10)),
                                       c.attach(f.segment, pages(20), SHM_RDONLY),
                                       c.peek(20),
                                       c.protect(pages(20), 4096, kRW),
                                       c.protect(pages(21), 4096, PROT_NONE),
                                       c.unmap(pages(22), 4096),
                                       c.detach(pages(20)),
                                       c.peek(20),
                                       c.peek(23),
                                       c.detach(pages(20)),
                                       c.unmap(pages(9), 4096),
                                       c.detach(pages(9)),
                                       c.peek(10),
                                       c.attach(f.segment, pages(30), 0),
                                       c.remap(pages(30), pages(4), pages(4), 3, pages(40)),
                                       c.detach(pages(30)),
                                       c.detach(pages(40))}) {
            r.push_back(result);
        }
        return r;
    });
}
