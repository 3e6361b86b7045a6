// The main loop, its timers, and the I/O worker.
#include <catch2/catch.hpp>

#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "emulator/machine/io_pool.h"
#include "emulator/machine/io_worker.h"
#include "emulator/machine/main_loop.h"
#include "tests/support/wait.h"

using namespace weft;

namespace {

std::unique_ptr<machine::MainLoop> make_loop() {
    auto loop = machine::MainLoop::create();
    REQUIRE(loop);
    return std::move(*loop);
}

constexpr int kThreads = 4;
constexpr int kPosts = 1000;

struct Event {
    std::vector<int>* order;
    int number;
    machine::MainLoop* quit;  // nullptr: goes on

    static void run(void* opaque) {
        auto* self = static_cast<Event*>(opaque);
        self->order->push_back(self->number);
        if (self->quit != nullptr) {
            self->quit->quit();
        }
    }
};

}  // namespace

TEST_CASE("work posted by other threads runs on the loop's thread, each thread's in order", "[main-loop]") {
    const auto loop = make_loop();
    struct State {
        machine::MainLoop* loop;
        std::thread::id owner = std::this_thread::get_id();
        std::vector<int> seen = std::vector<int>(kThreads, 0);
        int total = 0;
        bool right = true;
    } state{loop.get()};
    struct Post {
        State* state;
        int thread;
        int number;
    };
    std::vector<Post> posts;
    for (int thread = 0; thread < kThreads; ++thread) {
        for (int number = 0; number < kPosts; ++number) {
            posts.push_back({&state, thread, number});
        }
    }
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&loop, &posts, thread] {
            for (int number = 0; number < kPosts; ++number) {
                loop->post(
                    [](void* opaque) {
                        const auto& post = *static_cast<Post*>(opaque);
                        State& all = *post.state;
                        all.right = all.right && all.owner == std::this_thread::get_id() &&
                                    all.seen[static_cast<size_t>(post.thread)]++ == post.number;
                        if (++all.total == kThreads * kPosts) {
                            all.loop->quit();
                        }
                    },
                    &posts[static_cast<size_t>(thread * kPosts + number)]);
            }
        });
    }
    loop->run();
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(state.right);
    CHECK(state.total == kThreads * kPosts);
}

TEST_CASE("timers run in the order of their deadlines, each once", "[main-loop]") {
    const auto loop = make_loop();
    std::vector<int> order;
    Event late{&order, 3, loop.get()};
    Event middle{&order, 2, nullptr};
    Event early{&order, 1, nullptr};
    Event cancelled{&order, 4, nullptr};
    Event moved{&order, 5, nullptr};
    const uint64_t now = machine::monotonic_ns();
    loop->set_timer(now + 30'000'000, Event::run, &late);
    loop->set_timer(now + 20'000'000, Event::run, &middle);
    loop->set_timer(now + 1'000'000, Event::run, &cancelled);
    loop->set_timer(now + 60'000'000'000, Event::run, &moved);
    loop->set_timer(0, Event::run, &early);  // long past
    loop->set_timer(UINT64_MAX, Event::run, &cancelled);
    loop->set_timer(now + 25'000'000, Event::run, &moved);
    loop->run();
    CHECK(order == std::vector<int>{1, 2, 5, 3});
    CHECK(machine::monotonic_ns() >= now + 30'000'000);
}

TEST_CASE("a timer set by another thread wakes the loop", "[main-loop]") {
    const auto loop = make_loop();
    std::vector<int> order;
    Event event{&order, 1, loop.get()};
    std::thread setter([&] { loop->set_timer(machine::monotonic_ns() + 1'000'000, Event::run, &event); });
    loop->run();
    setter.join();
    CHECK(order == std::vector<int>{1});
}

TEST_CASE("a watch may end itself", "[main-loop]") {
    const auto loop = make_loop();
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(::write(ends[1], "ab", 2) == 2);
    int calls = 0;
    Event done{nullptr, 0, nullptr};
    std::vector<int> order;
    done = {&order, 1, loop.get()};
    std::unique_ptr<machine::MainLoop::Watch> watch =
        loop->watch(ends[0], machine::MainLoop::Ready::readable, [&] {
            ++calls;
            watch.reset();
            // Ready still, and no longer watched.
            loop->set_timer(machine::monotonic_ns() + 5'000'000, Event::run, &done);
        });
    loop->run();
    CHECK(calls == 1);
    close(ends[0]);
    close(ends[1]);
}

TEST_CASE("the I/O worker keeps the order, drains, and finishes before it goes", "[io-worker]") {
    std::vector<int> order;
    std::vector<Event> events;
    for (int i = 0; i < 100; ++i) {
        events.push_back({&order, i, nullptr});
    }
    {
        auto worker = machine::IoWorker::create([](void*) {}, nullptr);
        REQUIRE(worker);
        for (int i = 0; i < 50; ++i) {
            (*worker)->run(Event::run, &events[static_cast<size_t>(i)]);
        }
        (*worker)->drain();
        CHECK(order.size() == 50);
        for (int i = 50; i < 100; ++i) {
            (*worker)->run(Event::run, &events[static_cast<size_t>(i)]);
        }
    }
    REQUIRE(order.size() == 100);
    for (int i = 0; i < 100; ++i) {
        CHECK(order[static_cast<size_t>(i)] == i);
    }
}

TEST_CASE("the pool of I/O threads does work side by side, and draining waits for what was asked for before",
          "[main-loop]") {
    struct Meeting {
        std::atomic<unsigned> there = 0;
        std::atomic<unsigned> done = 0;
        unsigned wanted = 0;
        static void run(void* opaque) {
            auto& self = *static_cast<Meeting*>(opaque);
            ++self.there;
            // Goes on when all are there: one thread would never.
            test::wait_until([&] { return self.there >= self.wanted; });
            ++self.done;
        }
    };
    auto pool = machine::IoPool::create([](void*) {}, nullptr);
    REQUIRE(pool);
    for (const unsigned wanted : {1u, 2u, machine::IoPool::kThreads}) {
        Meeting meeting;
        meeting.wanted = wanted;
        for (unsigned i = 0; i < wanted; ++i) {
            (*pool)->run(Meeting::run, &meeting);
        }
        (*pool)->drain();
        CHECK(meeting.done == wanted);
    }
    // What is asked for at the end is done before the pool goes; and a request that another one makes.
    struct Chain {
        machine::IoPool* pool;
        std::atomic<unsigned> left = 100;
        static void run(void* opaque) {
            auto& self = *static_cast<Chain*>(opaque);
            if (--self.left != 0) {
                self.pool->run(run, opaque);
            }
        }
    } chain{.pool = pool->get()};
    (*pool)->run(Chain::run, &chain);
    pool->reset();
    CHECK(chain.left == 0);
}
