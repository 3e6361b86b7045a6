#include "emulator/machine/main_loop.h"

#include <glib-unix.h>
#include <glib.h>
#include <poll.h>

#include <new>
#include <utility>

namespace weft::machine {

struct MainLoop::Context {
    GMainContext* glib = g_main_context_new();

    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { g_main_context_unref(glib); }
};

// Kept alive by GLib's source: its function may destroy the watch it is called for.
struct MainLoop::Source {
    GSource* glib = nullptr;
    std::function<void()> function;
    MainLoop* loop = nullptr;

    static gboolean dispatch(gint, GIOCondition, gpointer opaque) {
        auto* source = static_cast<Source*>(opaque);
        MainLoop* const loop = source->loop;  // the function may destroy the watch
        try {
            source->function();
        } catch (const std::bad_alloc&) {
            loop->out_of_memory_ = true;
            loop->quit();
        }
        return G_SOURCE_CONTINUE;
    }
    static void destroy(gpointer opaque) { delete static_cast<Source*>(opaque); }
};

class MainLoop::SourceWatch final : public backend::EventLoop::Watch {
  public:
    explicit SourceWatch(Source* source) : source_(source) {}
    SourceWatch(const SourceWatch&) = delete;
    SourceWatch& operator=(const SourceWatch&) = delete;
    ~SourceWatch() override {
        // Destroying drops GLib's hold on the callback's data, which dispatch may be in the midst of: GLib keeps that alive
        // until dispatch returns.
        GSource* glib = source_->glib;
        g_source_destroy(glib);
        g_source_unref(glib);
    }

  private:
    Source* source_;
};

Result<std::unique_ptr<MainLoop>> MainLoop::create() {
    auto work = WorkQueue::create();
    if (!work) {
        return std::unexpected(work.error());
    }
    auto timers = TimerQueue::create();
    if (!timers) {
        return std::unexpected(timers.error());
    }
    return std::unique_ptr<MainLoop>(new MainLoop(std::move(*work), std::move(*timers)));
}

MainLoop::MainLoop(std::unique_ptr<WorkQueue> work, std::unique_ptr<TimerQueue> timers)
    : work_(std::move(work)), timers_(std::move(timers)), context_(std::make_unique<Context>()) {
    work_watch_ = watch(work_->fd(), Ready::readable, [this] { work_->drain(); });
    timer_watch_ = watch(timers_->fd(), Ready::readable, [this] { timers_->run_due(); });
}

MainLoop::~MainLoop() = default;

std::unique_ptr<backend::EventLoop::Watch> MainLoop::watch(int fd, Ready ready,
                                                           std::function<void()> function) {
    auto* source = new Source;
    source->function = std::move(function);
    source->loop = this;
    // GLib's conditions are poll()'s, and it hands on what it has no name for.
    const int wanted = ready == Ready::readable ? G_IO_IN : ready == Ready::writable ? G_IO_OUT : POLLRDHUP;
    const auto condition = static_cast<GIOCondition>(wanted | G_IO_HUP | G_IO_ERR);
    source->glib = g_unix_fd_source_new(fd, condition);
    g_source_set_callback(source->glib, G_SOURCE_FUNC(Source::dispatch), source, Source::destroy);
    g_source_attach(source->glib, context_->glib);
    return std::make_unique<SourceWatch>(source);
}

void MainLoop::run() {
    while (!quit_) {
        g_main_context_iteration(context_->glib, TRUE);
    }
}

}  // namespace weft::machine
