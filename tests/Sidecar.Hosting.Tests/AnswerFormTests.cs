using System.Net;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class AnswerFormTests
{
    [Fact]
    public async Task Answers_made_of_protobuf_messages_are_compact_JSON_without_needless_escapes()
    {
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("echo", "conversation.echo")]);

        var (status, text) = await sidecar.SendAsync("POST", "/v1.0-alpha1/conversation/echo/converse", """{"inputs":[{"content":"a <b> & c"}]}""");

        Assert.Equal((HttpStatusCode.OK, """{"outputs":[{"result":"a <b> & c"}]}"""), (status, text));
    }
}
