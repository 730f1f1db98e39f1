#include "agent/event_log.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/logging.h"
#include "agent/message_file.h"
#include "agent/wire.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::steady_clock;

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool HasText(const v1::Event& event, const std::string& text) {
  return Has(event.message(), text) ||
         std::any_of(event.plan().begin(), event.plan().end(),
                     [&](const v1::PlanLine& line) {
                       return Has(line.command(), text) ||
                              Has(line.reason(), text) ||
                              Has(line.error(), text);
                     });
}

bool Suits(const v1::Event& event, const v1::EventsRequest& request) {
  return (!request.has_since() || event.time() >= request.since()) &&
         (request.trigger().empty() || event.trigger() == request.trigger()) &&
         (request.result().empty() || event.result() == request.result()) &&
         (request.text().empty() || HasText(event, request.text()));
}

// "wan2 went down: no probe was answered"
v1::Event ToEvent(const HookEvent& happened, const v1::Event& pass) {
  v1::Event event;
  *event.mutable_time() = pass.time();
  event.set_trigger("uplink");
  event.set_result(std::string(HookEventName(happened.kind)));
  event.set_message(happened.message);
  event.set_uplink(happened.uplink.name());
  return event;
}

// Somebody who undoes what is ours makes the same pass due again and again.
bool IsTheSame(const v1::Event& pass, const v1::Event& other) {
  return pass.trigger() == other.trigger() && pass.result() == other.result() &&
         pass.message() == other.message() &&
         std::equal(pass.plan().begin(), pass.plan().end(),
                    other.plan().begin(), other.plan().end(),
                    [](const v1::PlanLine& one, const v1::PlanLine& two) {
                      return one.command() == two.command() &&
                             one.result() == two.result();
                    });
}

std::string ToTheMillisecond(google::protobuf::Timestamp time) {
  time.set_nanos(time.nanos() / 1000000 * 1000000);
  return TimeUtil::ToString(time);
}

v1::Event LossOf(std::uint64_t lost, const v1::Event& next) {
  v1::Event event;
  *event.mutable_time() = next.time();
  event.set_trigger("events");
  event.set_result("lost");
  event.set_message(std::to_string(lost) +
                    " events came faster than they could be kept");
  return event;
}

}  // namespace

EventLog::EventLog(const std::string& state_dir, Bulletin& bulletin)
    : directory_(state_dir),
      path_(state_dir + "/events.json"),
      news_(bulletin.Subscribe()) {
  Restore();
  thread_ = std::thread([this] { Watch(); });
}

EventLog::~EventLog() {
  if (news_ != nullptr) news_->Cancel();
  thread_.join();
}

void EventLog::Restore() {
  v1::EventHistory stored;
  if (const Result<void> read = ReadMessageFile(
          path_, "so the events of the last run are lost", stored);
      !read) {
    spdlog::warn("{}", read.error().message);
    return;
  }
  for (v1::Event& event : *stored.mutable_events()) {
    if (event.trigger() == "uplink" && event.result() != "address") {
      up_.insert_or_assign(event.uplink(), event.result() == "up");
      since_.insert_or_assign(event.uplink(), event.time());
    }
    Keep(std::move(event));
  }
}

void EventLog::Watch() {
  if (news_ == nullptr) return;
  steady_clock::time_point saved = steady_clock::now() - kPace;
  while (true) {
    const std::optional<Bulletin::News> news = news_->Next(kPace);
    limiter_.Settle();
    if (news && news->event != nullptr) Note(*news);
    const bool ends = news_->over();
    if (unsaved_ && (ends || steady_clock::now() - saved >= kPace)) {
      Save();
      saved = steady_clock::now();
    }
    if (ends) return;
  }
}

void EventLog::Note(const Bulletin::News& news) {
  if (news.lost > 0) Keep(LossOf(news.lost, *news.event));
  for (const HookEvent& happened : HookEventsBetween(before_, *news.status)) {
    if (!IsNews(happened)) continue;
    Tell(happened, *news.event);
    Keep(ToEvent(happened, *news.event));
  }
  before_ = *news.status;
  Keep(*news.event);
  unsaved_ = true;
}

// Of a drift the pass says so. An uplink that is what it was when the last run
// ended did not change.
bool EventLog::IsNews(const HookEvent& happened) {
  if (happened.kind == HookEvent::Kind::kDrift) return false;
  if (happened.kind == HookEvent::Kind::kAddress) return true;
  const bool up = happened.kind == HookEvent::Kind::kUp;
  const auto [known, is_new] = up_.try_emplace(happened.uplink.name(), up);
  return is_new || std::exchange(known->second, up) != up;
}

void EventLog::Tell(const HookEvent& happened, const v1::Event& pass) {
  const v1::UplinkStatus& uplink = happened.uplink;
  std::string before;  // since when it was what it is no more
  if (happened.kind != HookEvent::Kind::kAddress) {
    const auto [since, first] = since_.try_emplace(uplink.name(), pass.time());
    if (!first) before = ToTheMillisecond(since->second);
    since->second = pass.time();
  }
  if (!limiter_.MaySpeak()) return;
  const bool down = happened.kind == HookEvent::Kind::kDown;
  const std::string past =
      before.empty()
          ? ""
          : fmt::format("; it was {} since {}", down ? "up" : "down", before);
  Log(down ? spdlog::level::warn : spdlog::level::info,
      "uplink " + happened.message + past,
      {{"event", "uplink"},
       {"uplink", uplink.name()},
       {"change", HookEventName(happened.kind)},
       {"before_since", before},
       {"phase", uplink.phase()},
       {"reason", uplink.reason()},
       {"interface", uplink.interface()},
       {"address", uplink.address()},
       {"gateway", uplink.gateway()},
       {"address6", uplink.address6()},
       {"gateway6", uplink.gateway6()}});
}

void EventLog::Keep(v1::Event event) {
  ShortenPlan(event, kMostLines);
  const std::lock_guard lock(mutex_);
  Fold(event);
  auto kept = std::make_shared<const v1::Event>(std::move(event));
  events_.push_back(std::move(kept));
  if (events_.size() > kMost) events_.pop_front();
}

// What happens again and again must not push out all else.
void EventLog::Fold(v1::Event& event) {
  if (!event.uplink().empty()) return;  // ups and downs stay in their order
  const auto oldest = event.time() - TimeUtil::MinutesToDuration(1);
  for (std::size_t back = 1; back <= std::min(kLookBack, events_.size());
       ++back) {
    const auto at = events_.end() - static_cast<std::ptrdiff_t>(back);
    const v1::Event& other = **at;
    if (other.time() < oldest) return;
    if (!IsTheSame(event, other)) continue;
    event.set_times(std::max(other.times(), 1U) + std::max(event.times(), 1U));
    *event.mutable_first() = other.times() > 1 ? other.first() : other.time();
    events_.erase(at);
    return;
  }
}

void EventLog::Save() {
  v1::EventHistory history;
  for (const EventPointer& event : Latest(kMost)) {
    *history.add_events() = *event;
  }
  const Result<void> saved =
      ReplaceMessageFile(directory_, path_, history, FileLayout::kCompact);
  if (!saved && !unsaved()) {
    spdlog::warn("the events will not outlive a restart: {}",
                 saved.error().message);
  }
  unsaved_ = !saved;
  const std::lock_guard lock(mutex_);
  fault_ = SaveFaultOf(saved);
}

SaveFault EventLog::unsaved() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

std::vector<EventPointer> EventLog::Latest(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  const auto newest =
      static_cast<std::ptrdiff_t>(std::min(count, events_.size()));
  return {events_.end() - newest, events_.end()};
}

v1::EventsResponse EventLog::Find(const v1::EventsRequest& request) const {
  std::vector<EventPointer> found = Latest(kMost);
  std::erase_if(found, [&](const EventPointer& event) {
    return !Suits(*event, request);
  });
  const std::size_t wanted =
      request.count() == 0
          ? found.size()
          : std::min<std::size_t>(request.count(), found.size());
  v1::EventsResponse response;
  for (std::size_t i = found.size() - wanted; i < found.size(); ++i) {
    *response.add_events() = *found[i];
  }
  return response;
}

}  // namespace uplinkd
