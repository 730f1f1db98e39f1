// The live page as the exporter serves it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>
#include <string>

#include "exporters/http.h"
#include "exporters/page_files.h"

namespace uplinkd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Page : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = MetricsServer::Start(
        "127.0.0.1:0",
        {.metrics = [] { return std::make_shared<MetricsSnapshot>(); },
         .live_state = [this] { return state_; }});
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
    client_ = std::make_unique<httplib::Client>("127.0.0.1", server_->port());
  }

  std::string state_ = R"({"spec":"kind: Router\n"})";
  std::unique_ptr<MetricsServer> server_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(Page, IsServedByteForByteAsItsFilesAre) {
  const std::filesystem::path folder = UPLINKD_PAGE;
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const std::string name =
        std::filesystem::relative(entry.path(), folder).string();
    const auto answer =
        client_->Get(name == "index.html" ? "/" : "/page/" + name);
    ASSERT_TRUE(answer) << name;
    EXPECT_EQ(answer->status, 200) << name;
    EXPECT_EQ(answer->body, ReadFile(entry.path())) << name;
  }
  EXPECT_EQ(files, PageFiles().size());
}

TEST_F(Page, SaysOfWhatTypeEachFileIs) {
  const std::pair<const char*, const char*> types[] = {
      {"/", "text/html; charset=utf-8"},
      {"/page/app.js", "text/javascript; charset=utf-8"},
      {"/page/style.css", "text/css; charset=utf-8"},
      {"/page/icon.svg", "image/svg+xml"},
      {"/page/uplot/LICENSE", "text/plain; charset=utf-8"},
      {"/state.json", "application/json"},
  };
  for (const auto& [path, type] : types) {
    const auto answer = client_->Get(path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->get_header_value("Content-Type"), type) << path;
  }
}

TEST_F(Page, MayLoadNothingFromElsewhereAndIsNotKept) {
  for (const char* path : {"/", "/page/app.js", "/state.json", "/none"}) {
    const auto answer = client_->Get(path);
    ASSERT_TRUE(answer) << path;
    EXPECT_THAT(
        answer->get_header_value("Content-Security-Policy"),
        AllOf(StartsWith("default-src 'self';"),
              HasSubstr("frame-ancestors 'none'"), Not(HasSubstr("unsafe"))))
        << path;
    EXPECT_EQ(answer->get_header_value("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer->get_header_value("Cache-Control"), "no-store");
    EXPECT_FALSE(answer->has_header("Access-Control-Allow-Origin")) << path;
  }
}

// What the policy would refuse, and an address of another host, is not there.
TEST_F(Page, HasNoInlineScriptOrStyle) {
  const auto answer = client_->Get("/");
  ASSERT_TRUE(answer);
  for (const char* refused :
       {R"(<script(?![^>]*\ssrc="/page/))", R"(<style)", R"(\sstyle=)",
        R"(\son[a-z]+=)", R"((src|href)="(?![/#](?!/)))"}) {
    EXPECT_FALSE(std::regex_search(answer->body, std::regex(refused)))
        << refused;
  }
}

TEST_F(Page, EveryFileThatItNamesIsThere) {
  const std::regex reference(
      R"re((?:(?:src|href)="(/page/[^"]+)"|from "\./([^"]+)"))re");
  std::set<std::string> paths;
  for (const PageFile& file : PageFiles()) {
    if (file.path.starts_with("/page/uplot/")) continue;
    const std::string text(file.text);
    for (std::sregex_iterator it(text.begin(), text.end(), reference), end;
         it != end; ++it) {
      paths.insert((*it)[1].matched ? (*it)[1].str()
                                    : "/page/" + (*it)[2].str());
    }
  }
  EXPECT_GT(paths.size(), 8U);
  for (const std::string& path : paths) {
    const auto answer = client_->Get(path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200) << path;
  }
}

TEST_F(Page, ServesTheStateOfTheMoment) {
  const auto first = client_->Get("/state.json");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, state_);
  state_ = "{}";
  EXPECT_EQ(client_->Get("/state.json")->body, "{}");
}

TEST_F(Page, SaysSoBeforeThereIsAState) {
  state_ = "";
  const auto answer = client_->Get("/state.json");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
}

TEST_F(Page, OtherPathsAreNotThere) {
  for (const char* path :
       {"/none", "/page/", "/page/none.js", "/page/app.jsx", "/page/appxjs",
        "/page/index.html", "/page/../http.cc", "/page/%2e%2e/http.cc",
        "/stateXjson", "/index.html", "//"}) {
    const auto answer = client_->Get(path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 404) << path;
  }
}

TEST_F(Page, HeadIsTheSameWithoutTheText) {
  for (const char* path : {"/", "/page/app.js", "/state.json", "/metrics"}) {
    const auto get = client_->Get(path);
    const auto head = client_->Head(path);
    ASSERT_TRUE(get && head) << path;
    EXPECT_EQ(head->status, 200) << path;
    EXPECT_THAT(head->body, IsEmpty());
    EXPECT_EQ(head->get_header_value("Content-Length"),
              std::to_string(get->body.size()));
    EXPECT_EQ(head->get_header_value("Content-Type"),
              get->get_header_value("Content-Type"));
  }
}

TEST_F(Page, OnlyLooks) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    for (const char* path : {"/", "/page/app.js", "/state.json", "/metrics"}) {
      httplib::Request request;
      request.method = method;
      request.path = path;
      const auto answer = client_->send(request);
      ASSERT_TRUE(answer) << method << path;
      EXPECT_EQ(answer->status, 405) << method << path;
      EXPECT_EQ(answer->get_header_value("Allow"), "GET, HEAD");
    }
  }
}

}  // namespace
}  // namespace uplinkd
