using System.IO.Compression;
using Grpc.Core.Wire;

namespace Grpc.AspNetCore.Server;

/// <summary>Options of all services of a server.</summary>
public class GrpcServiceOptions
{
    /// <summary>Largest message that is sent, in bytes; null means no limit, the default. A larger one fails with ResourceExhausted.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>Largest message that is received, in bytes; null means no limit, the default is 4 MiB. A larger one fails with ResourceExhausted.</summary>
    public int? MaxReceiveMessageSize { get; set; } = GrpcNames.DefaultMaxReceiveMessageSize;

    /// <summary>Whether clients are told the messages of unhandled exceptions; false by default.</summary>
    public bool? EnableDetailedErrors { get; set; }

    /// <summary>How responses are compressed for clients that accept it: <c>gzip</c>; null means not at all.</summary>
    public string? ResponseCompressionAlgorithm { get; set; }

    /// <summary>How hard responses are compressed; fast by default.</summary>
    public CompressionLevel? ResponseCompressionLevel { get; set; }

    /// <summary>Whether calls to services that are not mapped are left to the rest of the pipeline instead of ending with Unimplemented.</summary>
    public bool? IgnoreUnknownServices { get; set; }

    /// <summary>Interceptors of the calls, outermost first.</summary>
    public InterceptorCollection Interceptors { get; } = [];

    internal TimeProvider TimeProvider { get; set; } = TimeProvider.System;
}

/// <summary>Options of one service; what is not set there is as in <see cref="GrpcServiceOptions"/>.</summary>
public class GrpcServiceOptions<TService> : GrpcServiceOptions
    where TService : class;
