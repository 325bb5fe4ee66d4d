using System.IO.Pipelines;
using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Takes the HTTP requests of one method.</summary>
internal abstract class CallHandler<TRequest, TResponse>(Method<TRequest, TResponse> method, MethodSettings settings)
    where TRequest : class
    where TResponse : class
{
    protected Method<TRequest, TResponse> Method { get; } = method;

    protected MethodSettings Settings { get; } = settings;

    /// <summary>Runs a call from its request to its trailers; faults only if the connection does.</summary>
    public Task HandleAsync(HttpContext http)
    {
        var request = http.Request;
        if (!HttpProtocol.IsHttp2(request.Protocol) && !HttpProtocol.IsHttp3(request.Protocol))
            return Refuse(http, StatusCodes.Status426UpgradeRequired, $"Request protocol '{request.Protocol}' is not supported.");
        if (!HttpMethods.IsPost(request.Method))
            return Refuse(http, StatusCodes.Status405MethodNotAllowed, $"Request method '{request.Method}' is not supported.");
        if (!GrpcNames.IsGrpcContentType(request.ContentType))
            return Refuse(http, StatusCodes.Status415UnsupportedMediaType, $"Content-Type '{request.ContentType}' is not supported.");
        return RunAsync(new HttpContextServerCallContext(http, Settings));
    }

    protected abstract Task RunAsync(HttpContextServerCallContext call);

    /// <summary>Reads the one request of a call, to the end of the body.</summary>
    protected async ValueTask<TRequest> ReadSingleAsync(HttpContextServerCallContext call)
    {
        var input = call.HttpContext.Request.BodyReader;
        TRequest? request = null;
        while (true)
        {
            ReadResult read;
            try
            {
                read = await input.ReadAsync();
            }
            catch (IOException e)
            {
                throw call.Translate(e);
            }

            var buffer = read.Buffer;
            if (request is null && RequestFrames.TryCut(ref buffer, Settings.MaxReceiveMessageSize, call.RequestIsGzip, out var payload))
                request = RequestFrames.Deserialize(Method.RequestMarshaller, payload);
            if (request is not null && !buffer.IsEmpty)
                throw RequestFrames.Malformed("Additional data after the message received.");
            input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
                return request ?? throw RequestFrames.Malformed("Incomplete message.");
        }
    }

    protected static TResponse RequireResponse(TResponse? response) => response ?? throw new RpcException(new Status(StatusCode.Cancelled, "No message returned from method."));

    Task Refuse(HttpContext http, int httpStatus, string reason)
    {
        ServerLog.BadRequest(Settings.Logger, reason);
        http.Response.StatusCode = httpStatus;
        ResponseHeaders.WriteStatus(http.Response, new Status(StatusCode.Internal, reason), null, hasBody: false, Settings.Logger);
        return Task.CompletedTask;
    }
}

internal sealed class UnaryCallHandler<TRequest, TResponse>(Method<TRequest, TResponse> method, MethodSettings settings, UnaryServerMethod<TRequest, TResponse> handler)
    : CallHandler<TRequest, TResponse>(method, settings)
    where TRequest : class
    where TResponse : class
{
    protected override async Task RunAsync(HttpContextServerCallContext call)
    {
        try
        {
            call.Begin();
            var request = await ReadSingleAsync(call);
            var response = await handler(request, call);
            await call.EndAsync(Method.ResponseMarshaller, RequireResponse(response));
        }
        catch (Exception e) when (!call.HasEnded || call.HasExpired)
        {
            await call.EndAsync(e);
        }
    }
}

internal sealed class ClientStreamingCallHandler<TRequest, TResponse>(Method<TRequest, TResponse> method, MethodSettings settings, ClientStreamingServerMethod<TRequest, TResponse> handler)
    : CallHandler<TRequest, TResponse>(method, settings)
    where TRequest : class
    where TResponse : class
{
    protected override async Task RunAsync(HttpContextServerCallContext call)
    {
        RequestStreamReader<TRequest>? requests = null;
        try
        {
            call.Begin();
            requests = new RequestStreamReader<TRequest>(call, Method.RequestMarshaller);
            var response = await handler(requests, call);
            await call.EndAsync(Method.ResponseMarshaller, RequireResponse(response));
        }
        catch (Exception e) when (!call.HasEnded || call.HasExpired)
        {
            await call.EndAsync(e);
        }
        finally
        {
            requests?.End();
        }
    }
}

internal sealed class ServerStreamingCallHandler<TRequest, TResponse>(Method<TRequest, TResponse> method, MethodSettings settings, ServerStreamingServerMethod<TRequest, TResponse> handler)
    : CallHandler<TRequest, TResponse>(method, settings)
    where TRequest : class
    where TResponse : class
{
    protected override async Task RunAsync(HttpContextServerCallContext call)
    {
        try
        {
            call.Begin();
            var request = await ReadSingleAsync(call);
            await handler(request, new ResponseStreamWriter<TResponse>(call, Method.ResponseMarshaller), call);
            await call.EndAsync<TResponse>(Method.ResponseMarshaller, null);
        }
        catch (Exception e) when (!call.HasEnded || call.HasExpired)
        {
            await call.EndAsync(e);
        }
    }
}

internal sealed class DuplexStreamingCallHandler<TRequest, TResponse>(Method<TRequest, TResponse> method, MethodSettings settings, DuplexStreamingServerMethod<TRequest, TResponse> handler)
    : CallHandler<TRequest, TResponse>(method, settings)
    where TRequest : class
    where TResponse : class
{
    protected override async Task RunAsync(HttpContextServerCallContext call)
    {
        RequestStreamReader<TRequest>? requests = null;
        try
        {
            call.Begin();
            requests = new RequestStreamReader<TRequest>(call, Method.RequestMarshaller);
            await handler(requests, new ResponseStreamWriter<TResponse>(call, Method.ResponseMarshaller), call);
            await call.EndAsync<TResponse>(Method.ResponseMarshaller, null);
        }
        catch (Exception e) when (!call.HasEnded || call.HasExpired)
        {
            await call.EndAsync(e);
        }
        finally
        {
            requests?.End();
        }
    }
}
