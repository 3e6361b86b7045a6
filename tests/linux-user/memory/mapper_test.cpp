// Random memory calls against the model: errors, intervals, bytes, and the host's protections. Each host page, base 0 and not, with
// the space reserved and not. WEFT_TEST_FULL=1: 10^6 calls.
//
// In between, code is made of pages as an accelerator would: what it keeps is what the page holds, until it is told otherwise.
#include "emulator/linux-user/memory/mapper.h"

#include <cstdlib>
#include <map>

#include "emulator/linux-user/memory/advice.h"
#include "emulator/linux-user/memory/user_ops.h"
#include "tests/linux-user/memory/model.h"
#include "tests/support/random.h"

using namespace weft;
using namespace weft::test;

namespace {

struct Run {
    Run(uint64_t host_page, bool based, bool reserve, uint64_t seed)
        : space(space_config(host_page, based, reserve)), model(host_page), random(seed) {
        for (uint64_t i = 0; i < 2 * kModelPages; i++) {
            model.file[i] = static_cast<uint8_t>(1 + i);
        }
        for (uint64_t i = 0; i < kModelPages; i++) {
            model.objects[0][i] = static_cast<uint8_t>(1 + i);
        }
        shared_read_only = reopened(shared_file, O_RDONLY);
    }

    void call();
    void check(bool bytes, bool host);
    void store(uint64_t page, uint8_t byte);
    void translate(uint64_t page);
    void end_code();

    GuestSpace space;
    Advice advice{*space.core};
    uint64_t now = 0;
    UserOps ops{*space.core, {.now = [this] { return now += 1'000'000'000; }}};
    std::map<uint64_t, int> code;  // by page: the byte that it was made of
    Model model;
    Random random;
    UniqueFd private_file = numbered_file(2 * kModelPages, 1);
    UniqueFd shared_file = numbered_file(kModelPages, 1);
    UniqueFd shared_read_only;
    std::string what;
};

// Code goes whose bytes are told of.
void Run::end_code() {
    for (auto* ranges : {&space.listener.gone, &space.listener.written}) {
        for (const auto& [start, end] : *ranges) {
            std::erase_if(code, [&](const auto& entry) {
                return start <= kArena + pages(entry.first) && kArena + pages(entry.first) < end;
            });
        }
        ranges->clear();
    }
}

// As the guest's, which finds the host's page without W where it is protected for code.
void Run::store(uint64_t page, uint8_t byte) {
    const uint64_t address = kArena + pages(page);
    bool is_protected = false;
    {
        MutexLock lock(space.core->space().mutex());
        is_protected = space.core->protected_pages().contains(space.core->down(address));
    }
    if (is_protected) {
        MemoryFault kind{};
        REQUIRE(ops.fault(nullptr, address, Access::store, segv_accerr, &kind));
        end_code();
    }
    std::memset(space.at(address), byte, 4096);
    model.write(page, byte);
}

void Run::translate(uint64_t page) {
    const ModelPage& now_there = model.page[page];
    const bool expected = now_there.mapped && !now_there.shared && (now_there.protection & PROT_EXEC) != 0;
    REQUIRE(ops.protect(kArena + pages(page)) == expected);
    if (expected) {
        code[page] = byte_of(space, kArena + pages(page));
    }
}

void Run::call() {
    const uint64_t first = random.below(kModelPages);
    const uint64_t most =
        random.below(4) == 0 ? kModelPages - first : std::min<uint64_t>(6, kModelPages - first);
    const uint64_t count = 1 + random.below(most);
    const uint64_t start = kArena + pages(first);
    const int protection = static_cast<int>(random.below(8));
    std::ostringstream text;
    SysResult got = 0, expected = 0;
    const uint64_t kind = random.below(10);
    if (kind < 3) {
        Model::MapCall call{.first = first,
                            .count = count,
                            .protection = protection,
                            .shared = random.below(3) == 0,
                            .file = random.below(2) == 0,
                            .writable = random.below(2) == 0,
                            .no_replace = random.below(4) == 0,
                            .offset = 0};
        if (call.file) {
            // The same place of the host's page, most of the time.
            call.offset =
                random.below(4) == 0 ? random.below(kModelPages - count + 1) : first % model.host_page();
            if (call.offset + count > kModelPages) {
                call.offset = 0;
            }
        }
        const int fd = !call.file      ? -1
                       : !call.shared  ? private_file.get()
                       : call.writable ? shared_file.get()
                                       : shared_read_only.get();
        const int flags = (call.shared ? MAP_SHARED : MAP_PRIVATE) | (call.file ? 0 : MAP_ANONYMOUS) |
                          (call.no_replace ? MAP_FIXED_NOREPLACE : MAP_FIXED);
        text << "map " << first << "+" << count << " prot " << protection << " flags " << flags << " offset "
             << call.offset << " writable " << call.writable;
        expected = model.map(call);
        got = space.mapper->map(start, pages(count), protection, flags, fd, pages(call.offset));
    } else if (kind < 4) {
        text << "unmap " << first << "+" << count;
        expected = model.unmap(first, count);
        got = space.mapper->unmap(start, pages(count));
    } else if (kind < 6) {
        text << "protect " << first << "+" << count << " " << protection;
        expected = model.protect(first, count, protection);
        got = space.mapper->protect(start, pages(count), protection);
    } else if (kind == 6) {
        text << "discard " << first << "+" << count;
        expected = model.discard(first, count);
        got = advice.advise(start, pages(count), MADV_DONTNEED);
    } else if (kind == 7) {
        uint64_t new_count =
            random.below(2) == 0 ? count : 1 + random.below(std::min<uint64_t>(8, kModelPages - first));
        // Behind the end of a shared object nothing can be read.
        if (model.page[first].shared && new_count > count) {
            new_count = count;
        }
        if (random.below(3) == 0) {
            text << "resize " << first << "+" << count << " to " << new_count;
            expected = model.resize(first, count, new_count);
            got = space.mapper->remap(start, pages(count), pages(new_count), 0, 0);
        } else {
            const uint64_t target = random.below(kModelPages - new_count + 1);
            text << "move " << first << "+" << count << " to " << target << "+" << new_count;
            const bool several = model.page[first].mapped && first + count > model.mapping_end(first);
            const Model before = model;
            expected = model.move(first, count, new_count, target);
            got = space.mapper->remap(start, pages(count), pages(new_count), MREMAP_MAYMOVE | MREMAP_FIXED,
                                      kArena + pages(target));
            if (got == -EFAULT && expected >= 0 && (several || new_count > count)) {
                // What is one mapping here may be several of the host's, as it would be natively (R5): only the room is made.
                model = before;
                model.unmap(target, new_count);
                expected = got;
            }
        }
    } else {
        for (uint64_t i = first; i < first + count; i++) {
            if (model.page[i].mapped && (model.page[i].protection & PROT_WRITE) != 0) {
                const auto byte = static_cast<uint8_t>(random.next());
                store(i, byte);
            }
        }
    }
    for (uint64_t i = random.below(4); i > 0; i--) {
        const uint64_t page = random.below(kModelPages);
        end_code();
        text << "; code at " << page;
        translate(page);
    }
    end_code();
    what = text.str() + (got == expected ? "" : " (differs)") + "; after " + what.substr(0, 300);
    if (got != expected) {
        INFO(what << ": " << space.text());
        REQUIRE(got == expected);
    }
}

void Run::check(bool bytes, bool host) {
    INFO("after " << what << ": " << space.text());
    Lookup lookup(space.core->space());
    std::vector<int> protections;
    if (host) {
        protections = space.host_protections(kArena, kModelPages);
    }
    const bool reserved = space.core->is_reserved(kArena);
    for (const auto& [page, byte] : code) {
        INFO("code of page " << page);
        REQUIRE((model.page[page].mapped && (model.page[page].protection & PROT_EXEC) != 0));
        REQUIRE(byte_of(space, kArena + pages(page)) == byte);
        MutexLock lock(space.core->space().mutex());
        REQUIRE(space.core->protected_pages().contains(space.core->down(kArena + pages(page))));
    }
    for (uint64_t i = 0; i < kModelPages; i++) {
        const Lookup::Extent* extent = lookup.find(kArena + pages(i));
        const ModelPage& page = model.page[i];
        if ((extent != nullptr) != page.mapped ||
            (extent != nullptr && (extent->protection != page.protection || extent->shared != page.shared))) {
            FAIL("page " << i << " is another in the map");
        }
        if (bytes && page.mapped && page.protection != 0) {
            const int found = byte_of(space, kArena + pages(i));
            if (found != model.byte(i)) {
                INFO("page " << i);
                REQUIRE(found == model.byte(i));
            }
        }
        if (host) {
            int expected = model.host_protection(i);
            {
                MutexLock lock(space.core->space().mutex());
                if (expected > 0 &&
                    space.core->protected_pages().contains(space.core->down(kArena + pages(i)))) {
                    expected &= ~PROT_WRITE;
                }
            }
            INFO("page " << i);
            REQUIRE(protections[i] == (expected == -1 && reserved ? 0 : expected));
        }
    }
}

void run(uint64_t host_page, bool based, bool reserve) {
    const uint64_t calls = (std::getenv("WEFT_TEST_FULL") != nullptr ? 1000000 : 24000) / 12;
    INFO("WEFT_TEST_SEED=" << test_seed() << " host page " << host_page << " based " << based << " reserved "
                           << reserve);
    Run run(host_page, based, reserve, test_seed());
    for (uint64_t i = 0; i < calls; i++) {
        run.call();
        run.check(i % 4 == 0, i % 64 == 0);
    }
}

}  // namespace

TEST_CASE("random calls, host pages of 4 KiB", "[user][Z1][M][U][X3][X6][P][R][D2][T2][T3][M11]") {
    for (const bool based : {false, true}) {
        for (const bool reserve : {false, true}) {
            run(4096, based, reserve);
        }
    }
}

TEST_CASE("random calls, host pages of 16 KiB", "[user][Z1][G][X3][X6][R12][G3][G4][G6][G7][G8]") {
    for (const bool based : {false, true}) {
        for (const bool reserve : {false, true}) {
            run(16384, based, reserve);
        }
    }
}

TEST_CASE("random calls, host pages of 64 KiB", "[user][Z1][G][X3][X6][R12][G3][G4][G6][G7][G8]") {
    for (const bool based : {false, true}) {
        for (const bool reserve : {false, true}) {
            run(65536, based, reserve);
        }
    }
}
