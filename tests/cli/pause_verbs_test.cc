// pause and resume, against an agent whose answers are scripted.
#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include "tests/cli/scripted_agent.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::HasSubstr;

class PauseVerbsTest : public ScriptedAgentTest {};

TEST_F(PauseVerbsTest, PausesForAWhileAndSaysUntilWhen) {
  *agent_.pause.mutable_until() = TimeUtil::SecondsToTimestamp(1795694700);
  const auto result = Ask("pause --for 30m --reason modem");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "paused until 2026-11-26T12:05:00Z; \"uplinkctl resume\" ends that "
            "earlier\n");
  EXPECT_EQ(agent_.pause_request.duration().seconds(), 1800);
  EXPECT_EQ(agent_.pause_request.reason(), "modem");
  EXPECT_EQ(Ask("pause").exit_code, 0);
  EXPECT_EQ(agent_.pause_request.duration().seconds(), 600);
}

TEST_F(PauseVerbsTest, TakesAnEmptyReason) {
  EXPECT_EQ(Ask("pause --reason= --for 30m").exit_code, 0);
  EXPECT_EQ(agent_.pause_request.reason(), "");
  EXPECT_EQ(agent_.pause_request.duration().seconds(), 1800);
  EXPECT_EQ(Ask("pause --reason=--for=").exit_code, 0);
  EXPECT_EQ(agent_.pause_request.reason(), "--for=");
}

TEST_F(PauseVerbsTest, WhatTheAgentSaysOfAFaultIsOneLine) {
  agent_.status = {grpc::FAILED_PRECONDITION, "no\n\x1b[31mred"};
  EXPECT_EQ(Ask("pause").err, "uplinkctl: no\\n\\x1b[31mred\n");
}

TEST_F(PauseVerbsTest, Resumes) {
  EXPECT_EQ(Ask("resume").out, "the agent was not paused\n");
  agent_.resume.set_was_paused(true);
  const auto result = Ask("resume");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "the agent follows its spec again\n");
}

TEST_F(PauseVerbsTest, SayWhatTheAgentSays) {
  agent_.status = {grpc::StatusCode::INVALID_ARGUMENT,
                   "a pause lasts 1s to 24h"};
  const auto result = Ask("pause --for 30h");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("a pause lasts 1s to 24h"));
}

}  // namespace
}  // namespace uplinkd
