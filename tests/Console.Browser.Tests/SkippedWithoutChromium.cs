using System.Reflection;
using Xunit.v3;

[assembly: DaprPlatform.OpsBrowser.Tests.SkippedWithoutChromium]

namespace DaprPlatform.OpsBrowser.Tests;

/// <summary>Skips every test where no browser is and none could be installed.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class SkippedWithoutChromiumAttribute : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (Chromium.Path is null)
            Assert.Skip("skipped: no Chromium (tests/Browser/install.sh installs it)");
    }
}
