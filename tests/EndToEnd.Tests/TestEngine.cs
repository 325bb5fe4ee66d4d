using System.Reflection;
using DaprPlatform.Cli.Commands;
using DaprPlatform.Cli.DaprEngine;
using Xunit.v3;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>What the stacks of these tests run on: <c>./platform test --engine dapr</c> takes real Dapr.</summary>
internal static class TestEngine
{
    public static string Name { get; } = Environment.GetEnvironmentVariable(TestCommand.EngineVariable) is { Length: > 0 } given ? given : "embedded";

    public static bool IsMissing { get; } = Name == "dapr" && DaprPrograms.Find() is null;

    public static void SkipWithout()
    {
        if (IsMissing)
            Assert.Skip("skipped: no daprd");
    }
}

/// <summary>Skips every test where the engine that was asked for is not on the machine.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class SkippedWithoutEngineAttribute : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test) => TestEngine.SkipWithout();
}
